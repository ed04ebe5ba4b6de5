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
        self._on_error = on_error
        self._interval_s = interval_s
        self._soon = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="tokentape-sync", daemon=True)
        self._thread.start()

    def soon(self) -> None:
        """Do not wait for the interval."""
        self._soon.set()

    def stop(self) -> None:
        """End the thread; a sync that is under way is waited for."""
        self._stopped = True
        self._soon.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._soon.wait(self._interval_s)
            self._soon.clear()
            if self._stopped:
                return
            try:
                self._sync()
            except OSError as error:
                self._on_error(error)
                return
