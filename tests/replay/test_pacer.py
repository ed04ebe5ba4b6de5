import asyncio
import time

import pytest

from tokentape.replay._lateness import Lateness
from tokentape.replay._pacer import Pacer, Stream


class World:
    """A clock that moves when it is told to, and the one timer that is set on it."""

    def __init__(self):
        self.now = 1_000
        self.armed = None
        self.arms = 0
        self.late_by = 0
        self.log = []
        self.lateness = Lateness()
        self.pacer = Pacer(self.lateness, clock=lambda: self.now, timer=self._timer)

    def _timer(self, callback):
        self.callback = callback
        return self

    def arm(self, when_ns):
        self.armed = when_ns
        self.arms += 1

    def close(self):
        self.armed = None

    def play(self, name, *offsets, anchor=None, write=None):
        def wrote(data):
            self.log.append((self.now, name, data))
            if write:
                write(data)

        stream = Stream(
            [(offset, b"%d" % index) for index, offset in enumerate(offsets)],
            anchor_ns=self.now if anchor is None else anchor,
            write=wrote,
            ended=lambda: self.log.append((self.now, name, "ended")),
        )
        self.pacer.play(stream)
        return stream

    def run(self, until=10**18):
        while self.armed is not None and max(self.armed, self.now) <= until:
            self.now = max(self.armed + self.late_by, self.now)
            self.armed = None
            self.callback()

    def times(self, name):
        return [t for t, who, what in self.log if who == name and what != "ended"]


def test_each_piece_leaves_at_its_due_time_and_the_end_is_told_after_the_last():
    world = World()
    world.play("a", 10, 30, 30, 70)
    world.run()
    assert world.log == [
        (1_010, "a", b"0"),
        (1_030, "a", b"1"),
        (1_030, "a", b"2"),
        (1_070, "a", b"3"),
        (1_070, "a", "ended"),
    ]


def test_what_is_due_at_zero_is_written_before_play_returns():
    world = World()
    world.play("a", 0, 0)
    assert [what for _, _, what in world.log] == [b"0", b"1", "ended"]
    assert world.armed is None


def test_streams_are_merged_in_order_of_due_times_behind_one_timer():
    world = World()
    world.play("a", 10, 40)
    world.play("b", 20, 30)
    world.run()
    assert [(t, name) for t, name, what in world.log if what != "ended"] == [
        (1_010, "a"),
        (1_020, "b"),
        (1_030, "b"),
        (1_040, "a"),
    ]


def test_an_earlier_stream_moves_the_deadline_forward_and_a_later_one_does_not():
    world = World()
    world.play("a", 50)
    world.play("b", 20)
    assert world.armed == 1_020
    arms = world.arms
    world.play("c", 90)
    assert (world.armed, world.arms) == (1_020, arms)


def test_late_pieces_go_at_once_and_the_schedule_is_kept():
    world = World()
    world.play("a", 10, 20, 30, 100)
    world.now = 1_025
    world.run()
    assert world.times("a") == [1_025, 1_025, 1_030, 1_100]
    assert world.lateness.summary().max_ns == 15


def test_two_thousand_gaps_served_late_each_do_not_drift():
    world = World()
    world.late_by = 400_000
    gap = 5_000_000
    world.play("a", *(gap * n for n in range(1, 2_001)))
    world.run()
    assert world.times("a")[-1] == 1_000 + 2_000 * gap + 400_000
    assert world.lateness.summary().max_ns == 400_000


def test_one_firing_writes_only_what_was_due_when_it_began():
    world = World()

    def slow(_):
        world.now += 10

    world.play("a", *range(1, 20, 5), write=slow)
    world.now = 1_001
    world.armed = None
    world.callback()
    assert len(world.times("a")) == 1  # the next came due while the first was written
    assert world.armed is not None
    world.run()
    assert len(world.times("a")) == 4


def test_a_paused_stream_is_set_aside_and_no_other_waits_for_it():
    world = World()
    paused = world.play("a", 10, 20, 50)
    world.play("b", 15, 25)
    world.pacer.hold(paused)
    world.run(until=1_030)
    assert world.times("a") == []
    assert world.times("b") == [1_015, 1_025]
    world.now = 1_030
    world.pacer.release(paused)
    world.run()
    assert world.times("a") == [1_030, 1_030, 1_050]


def test_a_stream_that_is_resumed_before_a_piece_is_due_loses_nothing_and_doubles_nothing():
    world = World()
    stream = world.play("a", 10, 20)
    world.pacer.hold(stream)
    world.pacer.release(stream)
    world.run()
    assert world.times("a") == [1_010, 1_020]


def test_a_stream_may_be_paused_by_its_own_write():
    world = World()
    streams = []
    streams.append(world.play("a", 10, 20, write=lambda _: world.pacer.hold(streams[0])))
    world.run()
    assert world.times("a") == [1_010]
    world.pacer.release(streams[0])
    world.run()
    assert world.times("a") == [1_010, 1_020]


def test_a_halted_stream_writes_nothing_more_and_has_no_end():
    world = World()
    stream = world.play("a", 10, 20)
    world.run(until=1_010)
    world.pacer.halt(stream)
    world.pacer.release(stream)
    world.run()
    assert world.log == [(1_010, "a", b"0")]


def test_an_end_may_begin_the_next_stream():
    world = World()
    first = Stream([(5, b"x")], anchor_ns=world.now, write=lambda _: None, ended=lambda: world.play("b", 7))
    world.pacer.play(first)
    world.run()
    assert world.times("b") == [1_012]


def test_a_write_that_raises_does_not_stop_the_other_streams():
    world = World()

    def fail(_):
        raise RuntimeError

    world.play("a", 10, write=fail)
    world.play("b", 20)
    with pytest.raises(RuntimeError):
        world.run()
    world.run()
    assert world.times("b") == [1_020]


def test_nothing_is_written_for_an_empty_part():
    world = World()
    stream = Stream(
        [(5, b"")], anchor_ns=world.now, write=world.log.append, ended=lambda: world.log.append("ended")
    )
    world.pacer.play(stream)
    world.run()
    assert world.log == ["ended"]


def test_on_the_real_clock_a_stream_ends_when_it_is_due_and_never_early():
    async def last_of(gap_ns, gaps):
        ended = asyncio.Event()
        pacer = Pacer(Lateness())
        times = []
        anchor = time.monotonic_ns()
        pacer.play(
            Stream(
                [(gap_ns * n, b"x") for n in range(1, gaps + 1)],
                anchor_ns=anchor,
                write=lambda _: times.append(time.monotonic_ns() - anchor),
                ended=ended.set,
            )
        )
        await ended.wait()
        pacer.close()
        assert all(t >= gap_ns * (n + 1) for n, t in enumerate(times))
        return times[-1]

    late_ns = asyncio.run(last_of(2_000_000, 300)) - 600_000_000
    assert late_ns < 200_000_000  # 300 sleeps of 2 ms, one after the other, would pass this on no machine
