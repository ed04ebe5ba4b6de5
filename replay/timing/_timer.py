"""One deadline on the monotonic clock: what the pacer waits with.

asyncio's own timers pass a timeout in whole milliseconds to epoll. A timerfd becomes readable at
a nanosecond of CLOCK_MONOTONIC, to which the kernel keeps within some ten microseconds, and fits any
event loop with `add_reader`. Where there is none (macOS, Windows), `LoopTimer` does what asyncio can.

Invariant: after `arm(t)` the callback runs at or after `t`, once; arming again replaces the deadline.
"""

import asyncio
import ctypes
import os
import sys
import time
from collections.abc import Callable
from typing import Protocol

_NS = 1_000_000_000
_FURTHEST_NS = 1 << 62  # a century on; a deadline that the kernel cannot hold is as good as this one


class Timer(Protocol):
    """Runs a callback at a time of `time.monotonic_ns`."""

    def arm(self, when_ns: int) -> None:
        """Have the callback run at `when_ns` and at no earlier deadline; at once if it has passed."""

    def close(self) -> None:
        """Never run the callback again."""


def kernel_timer(callback: Callable[[], None]) -> Timer:
    """Return the most precise timer of this system, on the event loop that is running."""
    loop = asyncio.get_running_loop()
    try:
        return TimerFd(loop, callback)
    except (OSError, AttributeError, NotImplementedError):  # no such call, or a loop without add_reader
        return LoopTimer(loop, callback)


class LoopTimer:
    """The event loop's own timer: late by up to a millisecond, but everywhere."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._scheduled: asyncio.TimerHandle | None = None

    def arm(self, when_ns: int) -> None:
        """See `Timer.arm`."""
        self.close()
        # From now rather than at: a loop's clock need not be this process's monotonic clock.
        left_ns = min(when_ns, _FURTHEST_NS) - time.monotonic_ns()
        self._scheduled = self._loop.call_later(max(left_ns, 0) / _NS, self._callback)

    def close(self) -> None:
        """See `Timer.close`."""
        if self._scheduled is not None:
            self._scheduled.cancel()


class TimerFd:
    """A Linux timerfd. Raises OSError or AttributeError where the system has none."""

    def __init__(self, loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
        self._loop = loop
        self._callback = callback
        self._fd, self._set = _open_timerfd()
        try:
            loop.add_reader(self._fd, self._expired)
        except BaseException:
            os.close(self._fd)
            raise

    def arm(self, when_ns: int) -> None:
        """See `Timer.arm`."""
        self._set(min(max(when_ns, 1), _FURTHEST_NS))

    def close(self) -> None:
        """See `Timer.close`."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    def _expired(self) -> None:
        # Setting the timer takes back that it has expired (timerfd_create(2)), so nothing is read from
        # it; a deadline of 0 disarms it. The callback may arm it again.
        self._set(0)
        self._callback()


def _open_timerfd() -> tuple[int, Callable[[int], None]]:
    """Return a timerfd and what sets its deadline (absolute, in ns)."""
    if sys.version_info >= (3, 13) and sys.platform == "linux":
        fd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_NONBLOCK | os.TFD_CLOEXEC)

        def set_deadline(when_ns: int) -> None:
            os.timerfd_settime_ns(fd, flags=os.TFD_TIMER_ABSTIME, initial=when_ns)

        return fd, set_deadline
    if sys.platform == "win32":
        raise OSError("Windows has no timerfd")
    return _open_timerfd_with_ctypes()


class _Itimerspec(ctypes.Structure):
    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("value_s", ctypes.c_long),
        ("value_ns", ctypes.c_long),
    )


def _open_timerfd_with_ctypes() -> tuple[int, Callable[[int], None]]:
    # PyDLL keeps the interpreter's lock: the call takes a microsecond, and getting the lock back may
    # take 5 ms in a process with other threads.
    libc = ctypes.PyDLL(None, use_errno=True)
    # TFD_NONBLOCK and TFD_CLOEXEC are the O_ constants of the same names.
    fd: int = libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "timerfd_create")
    settime = libc.timerfd_settime
    spec = _Itimerspec()
    address = ctypes.byref(spec)
    absolute = 1  # TFD_TIMER_ABSTIME

    def set_deadline(when_ns: int) -> None:
        spec.value_s, spec.value_ns = divmod(when_ns, _NS)
        if settime(fd, absolute, address, None) < 0:
            raise OSError(ctypes.get_errno(), "timerfd_settime")

    return fd, set_deadline
