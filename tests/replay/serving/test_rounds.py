import asyncio

from tokentape.replay import Limits
from tokentape.replay.serving._rounds import Rounds


class Client:
    """A connection that is overdue for a reason, or for none."""

    def __init__(self, overdue=None):
        self.overdue = overdue
        self.looked_at = []

    def end_if_overdue(self, now_ns):
        self.looked_at.append(now_ns)
        return self.overdue


def rounds(clients, **limits):
    return Rounds(clients, limits=Limits(**limits), clock=lambda: 7)


def test_in_a_round_every_connection_is_looked_at_once_and_never_many_at_a_time():
    clients = {Client() for _ in range(1_000)}
    going = rounds(clients)
    for number in (1, 2):
        most, over = 0, False
        while not over:
            before = sum(len(each.looked_at) for each in clients)
            over = going.look()
            most = max(most, sum(len(each.looked_at) for each in clients) - before)
        assert {len(each.looked_at) for each in clients} == {number}
        assert most <= 200


def test_a_connection_that_was_closed_within_a_round_is_left_alone():
    clients = {Client("unread") for _ in range(300)}
    going = rounds(clients)
    assert not going.look()
    left = {each for each in clients if not each.looked_at}
    clients.clear()
    assert going.look()
    assert not any(each.looked_at for each in left)
    assert going.ended["unread"] == 200


def test_what_was_ended_is_counted_and_said_in_a_line_for_each_kind(caplog):
    clients = {Client(reason) for reason in ("unread", "idle", "incomplete", None)} | {Client("incomplete")}
    going = rounds(clients, request_s=60, unread_s=30.5)
    assert going.look()
    assert dict(going.ended) == {"unread": 1, "idle": 1, "incomplete": 2}
    assert sorted(record.getMessage() for record in caplog.records) == [
        "1 answer cut off: expected the client to read on within 30.5 s",
        "2 connections closed: expected the rest of a request within 60 s",
    ]


def test_it_goes_round_until_it_is_stopped():
    async def main():
        thrice = asyncio.Event()

        class Counting(Client):
            def end_if_overdue(self, now_ns):
                if len(self.looked_at) == 2:
                    thrice.set()
                return super().end_if_overdue(now_ns)

        client = Counting()
        going = rounds({client}, idle_s=0.01)
        going.start()
        await asyncio.wait_for(thrice.wait(), 10)
        going.stop()
        seen = len(client.looked_at)
        await asyncio.sleep(0.05)
        assert len(client.looked_at) == seen

    asyncio.run(main())


def test_without_limits_there_are_no_rounds():
    async def main():
        going = rounds(set(), idle_s=None, request_s=None, unread_s=None)
        going.start()
        assert going._next is None
        going.stop()

    asyncio.run(main())
