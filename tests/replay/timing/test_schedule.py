import math
from fractions import Fraction
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay import Lognormal, Timing
from tokentape.replay.timing._schedule import (
    at_once,
    capped,
    delayed,
    first_token_at,
    in_order,
    paced,
    pauses,
    scaled,
    scaled_apart,
    schedule,
    since,
    starting_at,
    summed,
    varied,
)

times = st.lists(st.integers(min_value=-(10**12), max_value=10**18), max_size=50)
in_order_times = st.lists(st.integers(min_value=0, max_value=10**18), min_size=1, max_size=50).map(sorted)
speeds = st.floats(1e-9, 1e9)
spans = st.integers(min_value=0, max_value=10**12)


@st.composite
def timings(draw):
    """Every timing that makes sense."""
    if draw(st.booleans()):
        return Timing(speed=draw(st.one_of(speeds, st.just("instant"))))
    before = draw(st.sampled_from([None, "ttft_speed", "ttft_ns"]))
    after = draw(st.sampled_from([None, "gap_speed", "pace"]))
    values = {"ttft_speed": speeds, "ttft_ns": spans, "gap_speed": speeds, "pace": st.floats(1e-3, 1e9)}
    options = {name: draw(values[name]) for name in (before, after) if name}
    if not (before and after):
        options["speed"] = draw(speeds)
    if not {"ttft_ns", "pace"} & set(options):
        options["start_at_ns"] = draw(spans)
    options["max_gap_ns"] = draw(st.none() | spans)
    options["jitter"] = draw(st.none() | st.builds(Lognormal, st.floats(0.01, 5)))
    options["seed"] = draw(st.integers()) if options["jitter"] else 0
    return Timing(**options, delay_ns=draw(spans))


def named(values):
    return [(value, index) for index, value in enumerate(values)]


def times_of(row):
    return [t for t, _ in row]


@given(times, st.integers(min_value=0, max_value=10**15), timings(), st.integers(0, 50), st.integers(0, 50))
def test_offsets_are_never_negative_and_never_decrease_and_nothing_is_lost(values, zero, timing, first, last):
    found = list(
        schedule(named(values), zero_ns=zero, timing=timing, first_token=first, last_piece=last, name="0/0")
    )
    offsets = times_of(found)
    assert all(offset >= 0 for offset in offsets)
    assert offsets == sorted(offsets)
    assert [item for _, item in found] == list(range(len(values)))
    assert all(type(offset) is int for offset in offsets)


@given(times, timings(), st.integers(0, 50))
def test_the_same_timing_makes_the_same_schedule(values, timing, first):
    one, other = (
        list(
            schedule(
                named(values), zero_ns=0, timing=timing, first_token=first, last_piece=len(values), name="a"
            )
        )
        for _ in range(2)
    )
    assert one == other


@given(in_order_times)
def test_by_default_times_in_order_come_back_exactly(values):
    assert times_of(schedule(named([v + 77 for v in values]), zero_ns=77, timing=Timing())) == values


@given(st.integers(min_value=0, max_value=10**18), speeds)
def test_scaling_divides_exactly_and_rounds_down(offset, speed):
    ((found, _),) = scaled(speed, [(offset, None)])
    assert found == math.floor(Fraction(offset) / Fraction(speed))


@given(in_order_times, speeds, speeds, st.integers(0, 50))
def test_scaling_apart_is_exact_from_the_first_token_on(values, ttft_speed, gap_speed, first):
    ttft = values[min(first, len(values) - 1)]
    expected = [
        math.floor(min(t, ttft) / Fraction(ttft_speed) + max(t - ttft, 0) / Fraction(gap_speed))
        for t in values
    ]
    assert times_of(scaled_apart(ttft_speed, gap_speed, first, named(values))) == expected


@given(in_order_times, speeds, st.integers(0, 50))
def test_scaling_apart_by_one_speed_is_scaling(values, speed, first):
    assert list(scaled_apart(speed, speed, first, named(values))) == list(scaled(speed, named(values)))


def test_twice_the_speed_is_half_the_time():
    found = schedule([(1_000, "a"), (3_001, "b")], zero_ns=1_000, timing=Timing(speed=2))
    assert list(found) == [(0, "a"), (1_000, "b")]


def test_what_came_before_the_request_was_complete_is_due_at_zero():
    assert list(in_order(since(100, [(40, "a"), (120, "b")]))) == [(0, "a"), (20, "b")]


def test_a_time_before_its_predecessor_is_raised_to_it():
    assert times_of(in_order(named([5, 3, 9]))) == [5, 5, 9]


def test_instant_makes_everything_due_at_zero():
    assert list(at_once([(7, "a"), (9, "b")])) == [(0, "a"), (0, "b")]


def test_a_start_makes_what_came_before_it_due_at_once():
    assert times_of(starting_at(10, named([4, 10, 25]))) == [0, 0, 15]


@given(in_order_times)
def test_pauses_add_up_to_times_again(values):
    assert list(summed(pauses(named(values)))) == named(values)


@given(in_order_times, spans, speeds)
def test_no_pause_is_longer_than_the_cap_and_shorter_ones_stay(values, limit, speed):
    before, after = times_of(pauses(named(values))), times_of(capped(limit, pauses(named(values))))
    assert after == [min(pause, limit) for pause in before]
    found = schedule(named(values), zero_ns=0, timing=Timing(max_gap_ns=limit, speed=speed))
    assert all(pause <= math.ceil(limit / Fraction(speed)) for pause in times_of(pauses(found)))


@given(in_order_times, spans, st.integers(0, 49))
def test_a_fixed_ttft_is_exact_and_the_rest_keeps_its_distance(values, ttft_ns, first):
    first = min(first, len(values) - 1)
    found = times_of(first_token_at(ttft_ns, first, named(values)))
    assert found[first] == ttft_ns
    assert [t - ttft_ns for t in found[first:]] == [t - values[first] for t in values[first:]]


def test_what_comes_before_a_fixed_ttft_keeps_its_share_of_the_wait():
    assert times_of(first_token_at(300, 2, named([0, 50, 100, 130]))) == [0, 150, 300, 330]
    assert times_of(first_token_at(300, 1, named([0, 0, 10]))) == [300, 300, 310]


def test_a_pace_counts_from_the_first_token_and_the_end_goes_with_the_last_piece():
    found = paced(50, 1, 4, named([10, 100, 101, 5_000, 5_001, 9_000, 9_001]))
    assert times_of(found) == [10, 100, 20_000_100, 40_000_100, 60_000_100, 60_000_100, 60_000_100]


@given(st.floats(1e-3, 1e9), st.integers(1, 300))
def test_a_pace_does_not_drift(rate, pieces):
    *_, (last, _) = paced(rate, 0, pieces, named([0] * (pieces + 1)))
    assert last == math.floor(pieces * 10**9 / Fraction(rate))


def test_a_delay_is_added_to_everything():
    assert times_of(delayed(5, named([0, 7]))) == [5, 12]


def test_jitter_multiplies_each_pause_around_a_median_of_1():
    pause = 1_000_000
    found = times_of(varied(Lognormal(0.2), Random(7), [(pause, None)] * 20_001))
    logs = sorted(math.log(each / pause) for each in found)
    assert abs(logs[10_000]) < 0.01
    mean = sum(logs) / len(logs)
    assert abs(math.sqrt(sum((each - mean) ** 2 for each in logs) / len(logs)) - 0.2) < 0.01


def test_a_seed_means_the_same_on_every_version():
    timing = Timing.of(jitter="lognormal:0.2", seed=7)
    found = schedule(named([1_000_000, 2_000_000, 3_000_000]), zero_ns=0, timing=timing, name="0/0")
    assert times_of(found) == [1217639, 2259500, 3587139]


def test_another_seed_and_another_exchange_have_another_jitter():
    def offsets(seed, name):
        timing = Timing.of(jitter="lognormal:0.2", seed=seed)
        return times_of(schedule(named([10**6, 10**7]), zero_ns=0, timing=timing, name=name))

    assert len({tuple(offsets(seed, name)) for seed in (7, 8) for name in ("0/0", "0/1")}) == 4


def test_the_rules_apply_in_their_stated_order():
    """Start, cap, speeds, TTFT or pace, jitter, delay: any other order gives other numbers."""
    row = named([ms * 10**6 for ms in (100, 3_000, 3_100, 9_000)])

    def offsets_ms(**words):
        found = schedule(row, zero_ns=0, timing=Timing.of(**words), first_token=1, last_piece=3)
        return [t / 10**6 for t in times_of(found)]

    assert offsets_ms(max_gap="1s", start_at="2s") == [0, 1_000, 1_100, 2_100]
    assert offsets_ms(max_gap="1s", speed=2) == [50, 550, 600, 1_100]
    assert offsets_ms(max_gap="1s", ttft_speed=2, gap_speed=4) == [50, 550, 575, 825]
    assert offsets_ms(max_gap="1s", ttft="300ms", speed=2)[1:] == [300, 350, 850]
    assert offsets_ms(ttft="300ms", gap_speed=2) == [10, 300, 350, 3_300]
    assert offsets_ms(ttft="300ms", pace="10/s") == [10, 300, 400, 500]
    assert offsets_ms(ttft_speed=3, pace="10/s", delay="1s")[1:] == [2_000, 2_100, 2_200]
    varied_ms = offsets_ms(ttft="300ms", pace="10/s", jitter="lognormal:1", delay="1s")
    assert all(at - 1_000 not in {300, 400, 500} for at in varied_ms)
    assert varied_ms == [at + 1_000 for at in offsets_ms(ttft="300ms", pace="10/s", jitter="lognormal:1")]
