"""Syncs the cassette to the disk beside the proxy's event loop, which must not wait for a disk."""

import threading
from collections.abc import Callable


class Syncer:
    """Calls `sync` in a thread of its own: soon after `soon()`, and else every `interval_s`.

    The first error of `sync` goes to `on_error` and ends the syncing.
    """

    def __init__(
        self, sync: Callable[[], None], on_error: Callable[[OSError], None], *, interval_s: float = 1.0
    ) -> None:
        self._sync = sync
        self._last: Callable[[], None] | None = None
        self._on_error = on_error
        self._interval_s = interval_s
        self._soon = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="tokentape-sync", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether something is still to be done."""
        return self._thread.is_alive()

    def soon(self) -> None:
        """Do not wait for the interval."""
        self._soon.set()

    def finish(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread do this last, whatever errors there were, and end. Does not wait for it."""
        self._last = last
        self._stopped = True
        self._soon.set()

    def join(self) -> None:
        """Wait until the thread has ended."""
        self._thread.join()

    def stop(self) -> None:
        """End the thread; a sync that is under way is waited for."""
        self.finish()
        self.join()

    def _run(self) -> None:
        interval_s: float | None = self._interval_s
        while True:
            self._soon.wait(interval_s)
            self._soon.clear()
            if self._stopped:
                break
            if interval_s is not None and not self._succeeds(self._sync):
                interval_s = None
        if self._last is not None:
            self._succeeds(self._last)

    def _succeeds(self, call: Callable[[], None]) -> bool:
        try:
            call()
        except OSError as error:
            self._on_error(error)
            return False
        return True
