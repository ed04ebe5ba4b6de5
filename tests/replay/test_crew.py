"""Workers steered as one, over channels that lead to no other process."""

import asyncio
import socket
from dataclasses import replace

import pytest

from tests.replay.recordings import exchange, tape
from tokentape.replay import Health, Missed, Server, Stats, WrongFault, load
from tokentape.replay._channel import Channel, ChannelClosed
from tokentape.replay._crew import Crew
from tokentape.replay._tally import Tally
from tokentape.replay.timing._lateness import Lateness

HEALTH = Health(status="ok", exchanges=1, connections=2, running=1, paused=False, speed=1.0)


class Worker:
    """The other end of a channel: what it was told to do, in order. One that is `silent` never answers."""

    def __init__(self, *, silent=False):
        self.told = []
        self.asked = asyncio.Event()
        self.silent = silent

    def callees(self):
        def does(name, result):
            async def callee(*arguments):
                self.told.append((name, "begun"))
                self.asked.set()
                await asyncio.sleep(0)
                if self.silent:
                    await asyncio.Event().wait()
                self.told.append((name, *arguments))
                return result

            return callee

        missed = (Missed(method="GET", path="/x", times=2),)
        tally = Tally(answered=Stats(missed=missed, misses=2), lateness=Lateness(), unread=1)
        results = {"health": HEALTH, "tally": tally, "entries": []}
        names = ("health", "tally", "entries", "pause", "resume", "set_speed", "set_faults", "forget")
        return {name: does(name, results.get(name)) for name in names}


def crew_of(path, workers, use, *, answer_s=20.0):
    """Run `use` with a crew, the server that it was forked from, and the workers' ends of its channels."""

    async def main():
        server = Server(load(path))
        server.share_counts()
        channels, ends = {}, []
        for number, worker in enumerate(workers, start=1):
            ours, theirs = socket.socketpair()
            channels[number] = await Channel.over(ours, {})
            ends.append(await Channel.over(theirs, worker.callees()))
        try:
            return await asyncio.wait_for(use(Crew(server, channels, answer_s=answer_s), server, ends), 30)
        finally:
            for each in [*channels.values(), *ends]:
                each.close()

    return asyncio.run(main())


@pytest.fixture
def path(tmp_path):
    return tape(tmp_path / "a.tape", exchange())


def test_what_they_have_is_added_up_and_what_they_share_is_not(path):
    async def use(crew, *_):
        crew.lost = 1
        return await crew.health(), (await crew.tally()).stats

    health, stats = crew_of(path, [Worker() for _ in range(3)], use)
    assert health == replace(HEALTH, connections=6, running=3, workers=3)
    assert (stats.misses, stats.unread, [each.times for each in stats.missed]) == (6, 3, [6])
    assert (len(stats.served), stats.hits, stats.lost_workers) == (1, 0, 1)


@pytest.mark.parametrize("name", ["health", "tally", "pause", "resume", "reset"])
def test_one_that_ends_while_it_is_asked_is_left_out(path, name):
    workers = [Worker(), Worker(silent=True), Worker()]

    async def use(crew, _, ends):
        asked = asyncio.ensure_future(getattr(crew, name)())
        await workers[1].asked.wait()
        assert not asked.done()
        ends[1].close()
        await asked
        return (await crew.health()).workers

    assert crew_of(path, workers, use) == 2


def test_one_that_stands_still_makes_a_time_out_and_no_later_change_waits_for_ever(path):
    async def use(crew, *_):
        for change in (crew.pause, crew.reset, crew.resume):
            with pytest.raises(TimeoutError):
                await change()

    workers = [Worker(), Worker(silent=True)]
    crew_of(path, workers, use, answer_s=0.01)
    assert [each for each in workers[0].told if each[1:] != ("begun",)] == [
        ("pause",),
        ("forget",),
        ("resume",),
    ]


def test_without_any_left_nobody_answers(path):
    async def use(crew, *_):
        with pytest.raises(ChannelClosed):
            await crew.health()

    crew_of(path, [], use)


def test_changes_are_made_one_after_the_other(path):
    workers = [Worker(), Worker()]

    async def use(crew, *_):
        changes = [
            crew.pause(),
            crew.set_speed(2.0),
            crew.reset(),
            crew.set_faults(["drop-done"]),
            crew.resume(),
        ]
        await asyncio.gather(*changes)

    crew_of(path, workers, use)
    for worker in workers:
        names = [each[0] for each in worker.told]
        assert names[::2] == names[1::2] == ["pause", "set_speed", "forget", "set_faults", "resume"]


def test_faults_that_make_no_sense_reach_nobody(path):
    worker = Worker()

    async def use(crew, server, _):
        await crew.set_faults(["drop-done"])
        for wrong in (["explode"], ["split=1"] * 5_000):
            with pytest.raises(WrongFault):
                await crew.set_faults(wrong)
        return await crew.faults(), server.faults

    said, held = crew_of(path, [worker], use)
    assert said == [*map(str, held)] == ["drop-done"]
    assert [each[0] for each in worker.told] == ["set_faults", "set_faults"]  # begun and done, once
