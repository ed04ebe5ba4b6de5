import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay._schedule import at_once, in_order, parse_speed, scaled, schedule, since

times = st.lists(st.integers(min_value=-(10**12), max_value=10**18), max_size=50)
speeds = st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False)


def named(values):
    return [(value, index) for index, value in enumerate(values)]


@given(times, st.integers(min_value=0, max_value=10**15), st.one_of(speeds, st.just("instant")))
def test_offsets_are_never_negative_and_never_decrease_and_nothing_is_lost(values, zero, speed):
    found = list(schedule(named(values), zero_ns=zero, speed=speed))
    offsets = [offset for offset, _ in found]
    assert all(offset >= 0 for offset in offsets)
    assert offsets == sorted(offsets)
    assert [item for _, item in found] == list(range(len(values)))
    assert all(type(offset) is int for offset in offsets)


@given(st.lists(st.integers(min_value=0, max_value=10**18), max_size=50).map(sorted))
def test_at_speed_1_times_in_order_come_back_exactly(values):
    assert [t for t, _ in schedule(named([v + 77 for v in values]), zero_ns=77, speed=1.0)] == values


@given(st.integers(min_value=0, max_value=10**18), speeds)
def test_scaling_divides_exactly_and_rounds_down(offset, speed):
    ((found, _),) = scaled(speed, [(offset, None)])
    assert found == math.floor(Fraction(offset) / Fraction(speed))


def test_twice_the_speed_is_half_the_time():
    assert list(schedule([(1_000, "a"), (3_001, "b")], zero_ns=1_000, speed=2)) == [(0, "a"), (1_000, "b")]


def test_what_came_before_the_request_was_complete_is_due_at_zero():
    assert list(in_order(since(100, [(40, "a"), (120, "b")]))) == [(0, "a"), (20, "b")]


def test_a_time_before_its_predecessor_is_raised_to_it():
    assert [t for t, _ in in_order(named([5, 3, 9]))] == [5, 5, 9]


def test_instant_makes_everything_due_at_zero():
    assert list(at_once([(7, "a"), (9, "b")])) == [(0, "a"), (0, "b")]


@pytest.mark.parametrize(
    ("given", "speed"), [("2", 2.0), (0.5, 0.5), ("1e3", 1000.0), ("instant", "instant")]
)
def test_a_speed_is_a_number_or_instant(given, speed):
    assert parse_speed(given) == speed


@pytest.mark.parametrize("wrong", ["0", 0, -1, "-2", "nan", math.nan, "inf", math.inf, "fast", "", 10**400])
def test_a_speed_that_is_none_says_what_is_expected_and_what_was_found(wrong):
    with pytest.raises(ValueError, match=r"expected a positive number .* found") as raised:
        parse_speed(wrong)
    assert repr(wrong) in str(raised.value)
