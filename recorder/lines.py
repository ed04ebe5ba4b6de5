"""Lines on standard error that never make the proxy wait for whoever reads them.

A pipe that nobody reads is full after 64 kB, and then a write to it waits for ever, and the event loop with
it. So a line is written only where the system says that it has room; else it is dropped, and counted, and
the next line that finds room says how many were.
"""

import os
import select
import sys
import threading

_MOST_BYTES = 4_000  # a pipe that is ready takes PIPE_BUF bytes (4,096 on Linux) without waiting


class Lines:
    """Writes lines to a file descriptor; without one (standard error was closed) they go nowhere."""

    def __init__(self, descriptor: int | None) -> None:
        self.dropped = 0
        self._last_dropped = ""
        self._descriptor = descriptor
        self._alone = threading.Lock()

    @classmethod
    def to_stderr(cls) -> "Lines":
        """Return lines to standard error, past Python's buffer for it."""
        try:
            sys.stderr.flush()
            return cls(sys.stderr.fileno())
        except (AttributeError, OSError, ValueError):  # there is none, or it is no file
            return cls(None)

    def say(self, line: str, *, wait_s: float = 0.0) -> None:
        """Write a line if it can be written at once, or within `wait_s`. Long lines are cut."""
        with self._alone:
            descriptor = self._descriptor
            if descriptor is None or not _has_room(descriptor, wait_s):
                self.dropped += 1
                self._last_dropped = line
                return
            if self.dropped:
                line = f"({self.dropped} lines before this one were dropped, since nobody read them)\n{line}"
            data = line.encode(errors="backslashreplace")[:_MOST_BYTES] + b"\n"
            try:
                os.write(descriptor, data)
            except OSError:  # whoever read them is gone
                self._descriptor = None
            self.dropped = 0

    def finish(self, *, wait_s: float) -> None:
        """If the last line was dropped, write it after all if that is possible within `wait_s`."""
        if self.dropped:
            self.dropped -= 1
            self.say(self._last_dropped, wait_s=wait_s)


def _has_room(descriptor: int, wait_s: float) -> bool:
    try:
        return bool(select.select([], [descriptor], [], wait_s)[1])
    except (OSError, ValueError):  # Windows can ask only sockets; a descriptor may be past 1,024
        return True


def occupy_standard_descriptors() -> None:
    """Open what was closed of 0, 1 and 2 to nowhere.

    Else the cassette could become descriptor 2, and what a library prints there would be in it.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
