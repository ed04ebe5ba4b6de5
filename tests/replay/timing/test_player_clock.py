from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay.timing._player_clock import PlayerClock

steps = st.lists(
    st.tuples(
        st.integers(min_value=0, max_value=10**12),
        st.one_of(st.sampled_from(["pause", "resume"]), st.fractions(Fraction(1, 1000), 1000)),
    ),
    max_size=60,
)


def after(changes):
    """A clock that was changed, the time of the last change, and the exact playing time at it."""
    clock, now, exact, rate, paused = PlayerClock(), 0, Fraction(0), Fraction(1), False
    for wait_ns, change in changes:
        now += wait_ns
        exact += 0 if paused else wait_ns * rate
        match change:
            case "pause":
                clock.pause(now)
                paused = True
            case "resume":
                clock.resume(now)
                paused = False
            case _:
                clock.set_rate(change, now)
                rate = change
    return clock, now, exact


@given(st.integers(0, 10**18))
def test_until_something_is_changed_playing_time_is_the_systems(ns):
    clock = PlayerClock()
    assert clock.playing_ns(ns) == ns == clock.system_ns(ns)


@given(steps)
def test_no_row_of_changes_drifts_by_more_than_1_ns_each(changes):
    clock, now, exact = after(changes)
    assert 0 <= exact - clock.playing_ns(now) <= len(changes)


@given(steps, st.lists(st.integers(0, 10**12), max_size=5))
def test_playing_time_never_goes_back(changes, waits):
    seen = [
        after(changes[:length])[0].playing_ns(after(changes[:length])[1])
        for length in range(len(changes) + 1)
    ]
    clock, now, _ = after(changes)
    for wait_ns in waits:
        now += wait_ns
        seen.append(clock.playing_ns(now))
    assert seen == sorted(seen)


@given(steps, st.integers(0, 10**12))
def test_the_time_of_the_system_is_the_first_at_which_it_is_so_late(changes, ahead_ns):
    clock, now, _ = after([*changes, (0, "resume")])
    due = clock.playing_ns(now) + ahead_ns
    system = clock.system_ns(due)
    assert clock.playing_ns(system) >= due
    assert system <= now or clock.playing_ns(system - 1) < due


@given(steps, st.integers(0, 10**12))
def test_while_it_is_paused_it_stands_still(changes, wait_ns):
    clock, now, _ = after([*changes, (0, "pause")])
    assert clock.playing_ns(now + wait_ns) == clock.playing_ns(now)


def test_what_was_before_the_last_change_counts_as_at_the_change():
    clock = PlayerClock()
    clock.set_rate(Fraction(4), 1_000)
    assert clock.playing_ns(500) == 1_000


@given(
    st.lists(st.tuples(st.integers(1, 10**9), st.fractions(Fraction(1, 1000), 1000)), min_size=1, max_size=20)
)
def test_what_was_before_changes_is_so_long_ago_as_it_was(changes):
    clock, now = PlayerClock(), 0
    seen = []
    for wait_ns, rate in changes:
        seen.append((now, clock.playing_ns(now)))
        now += wait_ns
        clock.set_rate(rate, now)
    for system, playing in seen:
        grain_ns = 1_000 * len(changes) + 1  # of what is rounded to 1 ns of playing time at 1/1000
        assert abs(clock.system_ns(playing) - system) <= grain_ns
