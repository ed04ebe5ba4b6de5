import asyncio
import sys
import time

import pytest

from tests.replay.waiting import until
from tokentape.replay.timing import _timer
from tokentape.replay.timing._timer import LoopTimer, TimerFd, kernel_timer

on_linux = pytest.mark.skipif(sys.platform != "linux", reason="timerfd is Linux's")
KINDS = [LoopTimer, pytest.param(TimerFd, marks=on_linux)]


def in_loop(kind, scenario):
    async def main():
        fired = []
        timer = kind(asyncio.get_running_loop(), lambda: fired.append(time.monotonic_ns()))
        try:
            await scenario(timer, fired)
        finally:
            timer.close()
        return fired

    return asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_it_fires_once_and_not_early(kind):
    when = time.monotonic_ns() + 20_000_000

    async def scenario(timer, fired):
        timer.arm(when)
        await until(lambda: fired)
        await asyncio.sleep(0.02)

    fired = in_loop(kind, scenario)
    assert len(fired) == 1
    assert fired[0] >= when - 1_000_000  # asyncio's own may be early by its clock's resolution


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_that_has_passed_fires_at_once(kind):
    async def scenario(timer, fired):
        timer.arm(0)
        await until(lambda: fired)

    assert len(in_loop(kind, scenario)) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_deadline_replaces_the_old(kind):
    async def scenario(timer, fired):
        timer.arm(time.monotonic_ns() + 10_000_000)
        timer.arm(time.monotonic_ns() + 3_600 * 10**9)
        await asyncio.sleep(0.05)

    assert in_loop(kind, scenario) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_deadline_beyond_what_the_kernel_can_hold_is_far_away(kind):
    async def scenario(timer, fired):
        timer.arm(10**400)
        await asyncio.sleep(0.01)

    assert in_loop(kind, scenario) == []


@pytest.mark.parametrize("kind", KINDS)
def test_closing_twice_does_no_harm(kind):
    async def scenario(timer, fired):
        timer.close()

    in_loop(kind, scenario)


@on_linux
def test_ctypes_reaches_the_same_timer(monkeypatch):
    monkeypatch.setattr(_timer, "_open_timerfd", _timer._open_timerfd_with_ctypes)
    test_it_fires_once_and_not_early(TimerFd)
    test_a_deadline_beyond_what_the_kernel_can_hold_is_far_away(TimerFd)


def test_where_there_is_no_timerfd_the_loop_waits(monkeypatch):
    def missing():
        raise AttributeError("timerfd_create")

    monkeypatch.setattr(_timer, "_open_timerfd", missing)

    async def main():
        timer = kernel_timer(lambda: None)
        timer.close()
        return type(timer)

    assert asyncio.run(main()) is LoopTimer


@on_linux
def test_on_linux_the_kernel_waits():
    async def main():
        timer = kernel_timer(lambda: None)
        timer.close()
        return type(timer)

    assert asyncio.run(main()) is TimerFd
