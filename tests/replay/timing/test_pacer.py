import asyncio
import time
import weakref
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.timing._lateness import Lateness
from tokentape.replay.timing._pacer import Pacer, Stream


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

    def play(self, name, *offsets, anchor=None, write=None, recorded_ns=0):
        def wrote(data):
            self.log.append((self.now, name, data))
            if write:
                write(data)

        stream = Stream(
            [(offset, b"%d" % index) for index, offset in enumerate(offsets)],
            anchor_ns=self.now if anchor is None else anchor,
            write=wrote,
            ended=lambda: self.log.append((self.now, name, "ended")),
            recorded_ns=recorded_ns,
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


def test_what_a_halted_stream_belonged_to_is_let_go_before_its_next_piece_is_due():
    class Client:
        def write(self, data):
            pass

    world = World()
    client = Client()
    gone = weakref.ref(client)
    stream = Stream([(10**15, b"x")], anchor_ns=world.now, write=client.write, ended=client.write)
    world.pacer.play(stream)
    world.pacer.halt(stream)
    del client
    assert gone() is None
    world.run()


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


def test_while_all_stand_still_nothing_is_written_and_then_each_goes_on_from_there():
    world = World()
    world.play("a", 10, 20, 30)
    world.play("b", 15, 25)
    world.run(until=1_012)
    world.now = 1_012
    world.pacer.pause()
    assert world.pacer.paused
    world.run(until=5_000)
    world.now = 5_000
    assert world.times("a") == [1_010]
    world.pacer.resume()
    world.run()
    assert world.times("a") == [1_010, 5_008, 5_018]
    assert world.times("b") == [5_003, 5_013]
    assert world.lateness.summary().max_ns == 0


def test_what_was_asked_for_while_all_stand_still_begins_when_they_go_on():
    world = World()
    world.pacer.pause()
    world.play("a", 0, 10)
    world.run()
    assert world.times("a") == []
    world.now = 2_000
    world.pacer.resume()
    world.run()
    assert world.times("a") == [2_000, 2_010]


def test_a_timer_that_was_set_before_a_pause_writes_nothing_in_it():
    world = World()
    world.play("a", 10)
    world.pacer.pause()
    world.now = 1_010
    world.callback()
    assert world.log == []


def test_a_stop_that_comes_late_lets_go_what_was_due_before_it():
    world = World()
    world.play("a", 10, 20)
    world.now = 1_015
    world.pacer.pause()
    assert world.times("a") == [1_015]
    assert world.lateness.summary().max_ns == 5


def test_what_is_left_goes_by_the_new_rate():
    world = World()
    world.play("a", 100, 200, 400)
    world.run(until=1_150)
    world.now = 1_150
    world.pacer.set_rate(Fraction(2))
    world.run(until=1_180)
    world.now = 1_180
    world.pacer.set_rate(Fraction(1, 2))
    world.run()
    assert world.times("a") == [1_100, 1_175, 1_180 + 2 * 190]
    assert world.lateness.summary().max_ns == 0


def test_a_stream_that_begins_after_a_change_goes_by_the_new_rate_from_its_request():
    world = World()
    world.now = 7_000
    world.pacer.set_rate(Fraction(4))
    world.now = 9_001
    world.play("a", 0, 400, anchor=9_000)
    world.run()
    assert world.times("a") == [9_001, 9_100]


def test_a_thousand_changes_of_rate_move_a_piece_by_less_than_1_ns_each():
    world = World()
    world.play("a", 3_000_000_000)
    for _ in range(500):
        for rate in (Fraction(3), Fraction(1, 3)):
            world.pacer.set_rate(rate)
            world.now += 1_000_001  # what is played in it is no whole number
    world.pacer.set_rate(Fraction(1))
    world.run()
    played = 500 * 1_000_001 * Fraction(10, 3)
    (at,) = world.times("a")
    assert 0 <= at - (1_000 + 1_000 * 1_000_001 + 3_000_000_000 - played) < 1_000


def test_what_came_due_while_the_client_did_not_read_is_no_lateness_of_the_server():
    world = World()
    world.late_by = 3
    held = world.play("a", 10, 20, 50)
    world.pacer.hold(held)
    world.run(until=1_020)
    world.now = 1_030
    world.pacer.release(held)
    world.run()
    assert world.times("a") == [1_030, 1_030, 1_053]
    found = world.lateness.summary()
    assert (found.held, found.pieces, found.max_ns) == (2, 1, 3)


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).map(sorted), st.sets(st.integers(0, 45)))
def test_every_piece_is_counted_once_as_timed_or_as_held_and_none_is_late_without_the_server(
    offsets, moments
):
    world = World()
    stream = world.play("a", *offsets)
    holds = world.pacer.hold
    for moment in sorted(moments):
        world.run(until=1_000 + moment)
        world.now = max(world.now, 1_000 + moment)
        holds(stream)
        holds = world.pacer.release if holds == world.pacer.hold else world.pacer.hold
    world.pacer.release(stream)
    world.run()
    found = world.lateness.summary()
    assert found.pieces + found.held == len(offsets)
    assert found.max_ns in (0, None)


def test_a_client_that_never_reads_changes_nothing_for_a_hundred_others():
    world, alone = World(), World()
    offsets = [7 * n for n in range(1, 50)]
    world.pacer.hold(world.play("never reads", *offsets))
    for each in (world, alone):
        for n in range(100):
            each.play(f"reads {n}", *[n + offset for offset in offsets])
        each.run()
    assert world.log == alone.log
    assert world.lateness.summary() == alone.lateness.summary()


def test_a_held_stream_goes_on_by_the_clock_that_all_go_by():
    world = World()
    held = world.play("a", 10, 500)
    world.pacer.hold(held)
    world.run(until=1_100)
    world.now = 1_100
    world.pacer.pause()
    world.now = 9_000
    world.pacer.resume()
    world.pacer.release(held)
    world.run()
    assert world.times("a") == [9_000, 9_400]
    found = world.lateness.summary()
    assert (found.held, found.max_ns) == (1, 0)


@pytest.mark.parametrize("rate", [Fraction(1, 1_000), 1_000])
def test_what_was_due_before_a_change_of_rate_is_late_by_the_rate_of_then(rate):
    world = World()
    world.late_by = 100
    world.play("a", 10, write=lambda _: world.pacer.set_rate(rate))
    world.play("b", 10)
    world.run()
    assert world.times("b") == [1_110]
    found = world.lateness.summary()
    assert (found.pieces, found.max_ns) == (2, 100)


def test_the_time_that_ended_streams_took_is_counted_beside_what_they_took_when_recorded():
    world = World()
    world.play("a", 10, 40, recorded_ns=80)
    world.play("b", 10, recorded_ns=0)
    cut = world.play("c", 10, 900, recorded_ns=900)
    world.run(until=1_100)
    world.pacer.halt(cut)
    world.run()
    assert (world.pacer.recorded_ns, world.pacer.played_ns) == (80, 40)


def test_a_change_of_rate_that_comes_late_leaves_to_what_was_due_its_old_rate():
    world = World()
    world.play("a", 10, 30)
    world.now = 1_014
    world.pacer.set_rate(Fraction(1, 2))
    assert world.times("a") == [1_014]
    assert world.lateness.summary().max_ns == 4
    world.run()
    assert world.times("a") == [1_014, 1_014 + 2 * 16]


def test_what_an_end_begins_is_written_after_it_not_in_it():
    world = World()

    def ended():
        world.play("b", 0)
        world.log.append("the end is over")

    world.pacer.play(Stream([(0, b"x")], anchor_ns=world.now, write=lambda _: None, ended=ended))
    assert world.log == ["the end is over", (1_000, "b", b"0"), (1_000, "b", "ended")]


def test_an_answer_of_one_part_that_is_due_at_once_passes_by_the_timer():
    world = World()
    world.play("later", 50)
    arms = world.arms
    world.now += 5
    world.play("a", 0, anchor=world.now - 2, recorded_ns=70)
    assert world.log == [(1_005, "a", b"0"), (1_005, "a", "ended")]
    assert (world.armed, world.arms) == (1_050, arms)
    assert (world.lateness.summary().pieces, world.lateness.summary().max_ns) == (1, 2)
    assert (world.pacer.recorded_ns, world.pacer.played_ns) == (70, 2)


def test_an_answer_of_one_part_waits_where_any_other_would():
    world = World()
    held = Stream(
        [(0, b"x")],
        anchor_ns=world.now,
        write=world.log.append,
        ended=lambda: world.log.append("ended"),
    )
    world.pacer.hold(held)
    world.pacer.play(held)
    world.pacer.pause()
    world.play("paused", 0)
    assert world.log == []
    world.pacer.resume()
    assert world.log == [(1_000, "paused", b"0"), (1_000, "paused", "ended")]
    world.pacer.release(held)
    world.run()
    assert world.log[2:] == [b"x", "ended"]


def test_an_answer_of_one_part_whose_write_loses_its_connection_has_no_end():
    world = World()

    def vanish(_):
        world.pacer.halt(stream)

    stream = Stream([(0, b"x")], anchor_ns=world.now, write=vanish, ended=lambda: world.log.append("ended"))
    world.pacer.play(stream)
    assert world.log == []


def test_a_write_that_raises_at_once_does_not_stop_the_other_streams():
    world = World()

    def fail(_):
        raise RuntimeError

    world.play("b", 20)
    with pytest.raises(RuntimeError):
        world.play("a", 0, write=fail)
    world.run()
    assert world.times("b") == [1_020]
