"""Syncs the cassette to the disk beside the proxy's event loop, which must not wait for a disk."""

import threading
from collections.abc import Callable


class Syncer:
    """Calls `sync` in a thread of its own: soon after `soon()`, and within `interval_s` of `written()`.

    Nothing happens while nothing is written. Errors of `sync` go to `on_error`, and end the syncing.
    """

    def __init__(
        self, sync: Callable[[], None], on_error: Callable[[OSError], None], *, interval_s: float = 1.0
    ) -> None:
        self._sync = sync
        self._on_error = on_error
        self._interval_s = interval_s
        self._written = threading.Event()
        self._soon = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="tokentape-sync", daemon=True)
        self._thread.start()

    def written(self) -> None:
        """Something was written that is to be on the disk within the interval."""
        if not self._written.is_set():
            self._written.set()

    def soon(self) -> None:
        """Something was written that is to be on the disk without waiting for the interval."""
        self._soon.set()
        self._written.set()

    def stop(self) -> None:
        """End the thread; a sync that is under way is waited for."""
        self._stopped = True
        self.soon()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            self._written.wait()
            self._soon.wait(self._interval_s)
            self._written.clear()
            self._soon.clear()
            if self._stopped:
                return
            try:
                self._sync()
            except OSError as error:
                self._on_error(error)
                return
