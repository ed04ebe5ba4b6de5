import asyncio
import socket

import pytest

from tokentape.replay._channel import Channel, ChannelClosed


def over_a_pair(use, **callees):
    """Run `use` with two ends, of which the second answers calls of `callees`."""

    async def main():
        one, other = socket.socketpair()
        first, second = await Channel.over(one, {}), await Channel.over(other, callees)
        try:
            return await asyncio.wait_for(use(first, second), 20)
        finally:
            first.close()
            second.close()

    return asyncio.run(main())


def test_each_call_has_its_own_answer_also_out_of_order():
    def doubled(number):
        return number * 2

    async def late(number):
        await asyncio.sleep(0.01 if number % 2 else 0)
        return number

    async def use(first, _):
        calls = [first.call("doubled" if n % 3 else "late", n) for n in range(30)]
        return await asyncio.gather(*calls)

    found = over_a_pair(use, doubled=doubled, late=late)
    assert found == [n * 2 if n % 3 else n for n in range(30)]


def test_what_is_larger_than_any_buffer_arrives_from_both_ends_at_once():
    big = "x" * (8 << 20)

    async def use(first, second):
        first_asked = [first.call("echo", big) for _ in range(3)]
        return await asyncio.gather(*first_asked)

    assert over_a_pair(use, echo=lambda text: text) == [big] * 3


def test_what_is_raised_there_is_raised_here():
    def refuse():
        raise ValueError("expected more")

    async def use(first, _):
        with pytest.raises(ValueError, match="expected more"):
            await first.call("refuse")
        return await first.call("go_on")

    assert over_a_pair(use, refuse=refuse, go_on=lambda: "on") == "on"


class OfTwo(Exception):
    """As many an error, it takes other arguments than it keeps, and cannot be unpickled therefore."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


@pytest.mark.parametrize("error", [OfTwo("this", "that"), ValueError("this and that", lambda: None)])
def test_an_error_that_does_not_travel_is_told_in_words(error):
    def refuse():
        raise error

    async def use(first, _):
        with pytest.raises(RuntimeError, match=f"^{type(error).__name__}: .*this and that"):
            await first.call("refuse")
        return await first.call("go_on")

    assert over_a_pair(use, refuse=refuse, go_on=lambda: "on") == "on"


def test_a_value_that_does_not_travel_is_an_error():
    async def use(first, _):
        with pytest.raises(Exception, match=r"pickle|local object"):  # as Python's version says it
            await first.call("what")
        return await first.call("go_on")

    assert over_a_pair(use, what=lambda: lambda: None, go_on=lambda: "on") == "on"


def test_a_call_that_was_given_up_harms_no_other():
    async def slowly():
        await asyncio.sleep(0.05)

    async def use(first, _):
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(first.call("slowly"), 0.001)
        await asyncio.sleep(0.1)  # its answer comes meanwhile
        return await first.call("go_on")

    assert over_a_pair(use, slowly=slowly, go_on=lambda: "on") == "on"


def test_calls_end_when_the_other_end_is_gone():
    async def forever():
        await asyncio.Event().wait()

    async def use(first, second):
        call = asyncio.ensure_future(first.call("forever"))
        await asyncio.sleep(0)
        second.close()
        with pytest.raises(ChannelClosed):
            await call
        await first.closed.wait()
        with pytest.raises(ChannelClosed):
            await first.call("forever")

    over_a_pair(use, forever=forever)
