import asyncio

from tokentape.replay.serving._parties import Parties


class Noted:
    """A connection that notes what it is told, and is over when it is cut off."""

    def __init__(self, parties, *, busy=False):
        self.parties = parties
        self.busy = busy
        self.told = []

    def finish(self):
        self.told.append("finish")
        if not self.busy:
            self.parties.lost(self)

    def abort(self):
        self.told.append("abort")
        self.parties.lost(self)

    def end_if_overdue(self, now_ns):
        return None


def opened(parties, **options):
    party = Noted(parties, **options)
    parties.opened(party)
    return party


def test_those_with_an_answer_on_its_way_are_left_to_end_and_the_others_are_over():
    parties = Parties()
    idle, busy = opened(parties), opened(parties, busy=True)
    assert (len(parties), parties.busy) == (2, 1)
    parties.finish()
    assert [*parties] == [busy]
    assert idle not in parties
    parties.abort()
    assert busy.told == ["finish", "abort"]
    assert not parties


def test_one_that_comes_after_the_end_is_cut_off():
    parties = Parties()
    parties.finish()
    assert opened(parties).told == ["abort"]
    assert not parties


def test_who_waits_for_the_last_one_goes_on_when_it_is_over_or_the_time_is():
    async def main():
        parties = Parties()
        await parties.all_closed(None)  # there is none
        party = opened(parties, busy=True)
        await parties.all_closed(0.01)
        assert party in parties
        asyncio.get_running_loop().call_soon(party.abort)
        await asyncio.wait_for(parties.all_closed(None), 20)
        assert not parties

    asyncio.run(main())
