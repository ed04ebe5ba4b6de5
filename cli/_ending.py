"""Being told to end: SIGTERM and SIGHUP unwind as Ctrl-C does, so that no half-made file is left.

The exit code is that of a shell, 128 and the signal's number: 1 would be an answer of verbs that compare.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

# Windows has no hang-up.
_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextmanager
def interruptible() -> Iterator[None]:
    """While it lasts, Ctrl-C that a verb does not take itself is SystemExit(130) and says nothing."""
    try:
        yield
    except KeyboardInterrupt:
        raise SystemExit(128 + signal.SIGINT) from None


@contextmanager
def unwinding() -> Iterator[None]:
    """While it lasts, these signals raise SystemExit(128 + number), as a shell shows them.

    What is ignored (nohup) stays so. A verb that has handlers of its own sets them over these.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    taken = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, _end)
    try:
        yield
    finally:
        for number in taken:
            if signal.getsignal(number) is _end:
                signal.signal(number, signal.SIG_DFL)


def _end(number: int, frame: object) -> None:  # noqa: ARG001  (its signature)
    for each in _SIGNALS:  # a second one would cut off what this one has begun
        if signal.getsignal(each) is _end:
            signal.signal(each, signal.SIG_IGN)
    raise SystemExit(128 + number)
