"""What an event loop says when the system has no file descriptor left for a connection that comes.

asyncio waits a second then and accepts again, but reports each connection with a traceback of its own.
Invariant: such reports make one line a minute; all else is reported as it was.
"""

import asyncio
import errno
import logging
import time
from collections.abc import Callable
from typing import Any

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
_OFTEN_S = 60.0


def say_when_out_of_files(
    loop: asyncio.AbstractEventLoop, *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Have a loop say in a line that connections wait for file descriptors; it has to be our own."""
    limit = _limit()  # what is imported later would need a file
    again_at: float | None = None

    def report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        nonlocal again_at
        error = context.get("exception")
        if not isinstance(error, OSError) or error.errno not in (errno.EMFILE, errno.ENFILE):
            loop.default_exception_handler(context)
            return
        if again_at is not None and clock() < again_at:
            return
        again_at = clock() + _OFTEN_S
        _log.error("%s", _line(error, limit))

    loop.set_exception_handler(report)


def _line(error: OSError, limit: int | None) -> str:
    if error.errno == errno.ENFILE:
        return "out of file descriptors: all of the system are open; new connections wait until some close"
    open_ = "all of this process" if limit is None else f"all {limit} of this process"
    return (
        f"out of file descriptors: {open_} are open; new connections wait until others close; "
        "allow more with `ulimit -n` before it is started"
    )


def _limit() -> int | None:
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return None
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
