"""Requests under `/-/` that somebody else answers, without a socket."""

import asyncio

import pytest

from tests.replay.control.asking import request
from tokentape.replay.control._relay import Relay
from tokentape.replay.control._steered import at_once
from tokentape.replay.control._steering import MAX_BODY_BYTES


class Client:
    """What has come for a client."""

    def __init__(self, relay, asked):
        self.log = []
        self.live = relay.reply_to(asked).live
        self.live.begin(self.log.append, self.log.append)


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("options", "ending"), [({}, "open"), ({"keep_alive": False}, "close"), ({"version": "1.0"}, "close")]
)
def test_an_answer_comes_in_one_write_and_then_the_end_that_it_says(options, ending):
    async def main():
        answered = asyncio.Event()

        async def ask(asked):
            await answered.wait()
            return asked.target

        relay = Relay(ask)
        clients = [Client(relay, request(target=f"/-/{n}", **options)) for n in range(3)]
        await turns()
        assert (relay.under_way, [client.log for client in clients]) == (3, [[]] * 3)
        answered.set()
        await turns()
        assert relay.under_way == 0
        assert [client.log for client in clients] == [[b"/-/%d" % n, ending] for n in range(3)]

    asyncio.run(main())


@pytest.mark.parametrize("after", range(4))
def test_a_client_that_is_gone_gets_nothing_and_is_counted_no_more(after):
    """Whatever turn of the loop it goes in."""

    async def main():
        async def ask(_):
            await asyncio.sleep(0)
            return b"answer"

        relay = Relay(ask)
        client = Client(relay, request())
        await turns(after)
        if not client.log:  # else its answer has ended, and nobody halts it
            client.live.halt()
            assert relay.under_way == 0
            await turns()
            assert client.log == []
        assert relay.under_way == 0

    asyncio.run(main())


def test_what_goes_wrong_there_is_said_to_the_client():
    async def main():
        async def ask(_):
            raise ConnectionError("gone")

        relay = Relay(ask)
        client = Client(relay, request())
        await turns()
        response, ending = client.log
        assert response.startswith(b"HTTP/1.1 500 ")
        assert b"not answered: ConnectionError('gone')" in response
        assert (ending, relay.under_way) == ("open", 0)

    asyncio.run(main())


def test_of_a_body_that_is_too_long_no_more_is_relayed_than_says_so():
    async def main():
        async def ask(asked):
            return b"%d" % len(asked.body)

        relay = Relay(ask)
        sizes = [0, MAX_BODY_BYTES, MAX_BODY_BYTES + 1, 10 * MAX_BODY_BYTES]
        clients = [Client(relay, request("PUT", "/-/faults", b"x" * size)) for size in sizes]
        await turns()
        assert [int(client.log[0]) for client in clients] == [*sizes[:3], sizes[2]]

    asyncio.run(main())


def test_what_waits_is_not_there_at_once():
    async def waits():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="at once"):
        at_once(waits())
