"""What a recording loses once its file cannot be written any more: counted, and said again and again.

The user's traffic goes on; a line in a log that is a week long is read by nobody unless it comes again.
"""

import logging
import threading
from collections.abc import Callable

from tokentape.cassette import counted

logger = logging.getLogger(__name__)

REPEAT_NS = 60 * 10**9
"""How often the loss is said again, as long as something goes unrecorded."""


class Loss:
    """Shared by the parts of one recording: when one of them fails, nothing more is recorded.

    `error` is what ended the recording, if something did; `exchanges` and `pieces` count what went
    unrecorded since, an exchange once if anything of it did. `on_error` is called once, when `error` is
    set, perhaps in the thread that syncs; `then` says what becomes of the traffic.
    """

    def __init__(
        self,
        clock: Callable[[], int],
        *,
        on_error: Callable[[], None] = lambda: None,
        then: str = "the traffic goes on unrecorded",
    ) -> None:
        self.error: OSError | None = None
        self.exchanges = 0
        self.pieces = 0
        self._path = ""
        self._clock = clock
        self._on_error = on_error
        self._then = then
        self._said_ns = 0
        self._first = threading.Lock()

    def fail(self, path: str, error: OSError) -> None:
        """Stop recording, loudly; the first time counts."""
        with self._first:
            if self.error is not None:
                return
            self._path = path
            self._said_ns = self._clock()
            self.error = error
        logger.error("%s: THE RECORDING HAS STOPPED, %s: %s", path, self._then, error.strerror or error)
        self._on_error()

    def exchange(self) -> None:
        """Count an exchange of which something went unrecorded."""
        self.exchanges += 1
        self._say_again()

    def piece(self) -> None:
        """Count a piece that went unrecorded."""
        self.pieces += 1
        self._say_again()

    def _say_again(self) -> None:
        now = self._clock()
        if now - self._said_ns >= REPEAT_NS:
            self._said_ns = now
            logger.error(
                "%s: THE RECORDING HAS STOPPED and the traffic goes on: %s and %s unrecorded so far",
                self._path,
                counted(self.exchanges, "exchange"),
                counted(self.pieces, "piece"),
            )
