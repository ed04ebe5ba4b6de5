import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.replay import Lognormal, Timing, WrongTiming, load, parse_speed, serve
from tokentape.replay.timing._quantities import parse_jitter, parse_rate, parse_span


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


@pytest.mark.parametrize("name", ["speed", "ttft_speed", "gap_speed", "pace"])
@pytest.mark.parametrize("wrong", [1e-320, 9e-10, 1.1e9])
def test_a_speed_whose_times_nobody_can_print_is_refused(name, wrong):
    with pytest.raises(WrongTiming, match=rf"{name}: .*, from 1e-09 to 1e\+09, found "):
        Timing(**{name: wrong})


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("300ms", 300_000_000),
        ("1s", 10**9),
        ("1.5 s", 1_500_000_000),
        ("2m", 120 * 10**9),
        ("0s", 0),
        ("1h", 3_600 * 10**9),
        ("7us", 7_000),
        ("9ns", 9),
        ("0.1ns", 0),
        (" 1s ", 10**9),
    ],
)
def test_a_time_has_a_unit(text, ns):
    assert parse_span(text) == ns


@given(st.integers(0, 10**14), st.sampled_from([("ns", 1), ("us", 10**3), ("ms", 10**6), ("s", 10**9)]))
def test_times_are_exact(number, unit):
    assert parse_span(f"{number}{unit[0]}") == number * unit[1]


@pytest.mark.parametrize(
    "wrong", ["300", "", "ms", "-1s", "1e3s", "1 second", "nan", "1.s", "²s", "9" * 5_000 + "s"]
)
def test_a_time_that_is_none_says_what_is_expected_and_what_was_found(wrong):
    with pytest.raises(ValueError, match=r"expected a time with its unit such as 300ms.* found") as raised:
        parse_span(wrong)
    assert repr(wrong) in str(raised.value)


@pytest.mark.parametrize(("text", "rate"), [("50/s", 50.0), ("50", 50.0), ("0.5/s", 0.5), (20, 20.0)])
def test_a_rate_is_so_many_a_second(text, rate):
    assert parse_rate(text) == rate


@pytest.mark.parametrize("wrong", ["0/s", "50/m", "/s", "fast", "-1", "inf/s"])
def test_a_rate_that_is_none_says_so(wrong):
    with pytest.raises(ValueError, match=rf"expected a positive rate such as 50/s, found '{wrong}'"):
        parse_rate(wrong)


def test_a_jitter_is_a_distribution():
    assert parse_jitter("lognormal:0.2") == Lognormal(0.2)


@pytest.mark.parametrize(
    "wrong", ["0.2", "lognormal", "lognormal:", "lognormal:0", "lognormal:6", "normal:1", ""]
)
def test_a_jitter_that_is_none_says_so(wrong):
    with pytest.raises(ValueError, match=r"expected lognormal:SIGMA such as lognormal:0.2") as raised:
        parse_jitter(wrong)
    assert repr(wrong) in str(raised.value)


CONTRADICTIONS = [
    ({"ttft": "1s", "ttft_speed": 2}, "ttft or ttft-speed"),
    ({"pace": "50/s", "gap_speed": 2}, "pace or gap-speed"),
    ({"speed": 2, "ttft": "1s", "pace": "50/s"}, "speed or ttft"),
    ({"speed": 2, "ttft_speed": 3, "gap_speed": 3}, "speed or ttft-speed"),
    ({"start_at": "1s", "ttft": "1s"}, "start-at or ttft"),
    ({"start_at": "1s", "pace": "50/s"}, "start-at or pace"),
    *(
        ({"speed": "instant", name: value}, f"speed instant or {name.replace('_', '-')}")
        for name, value in {
            "ttft_speed": 2,
            "gap_speed": 2,
            "ttft": "1s",
            "pace": "50/s",
            "max_gap": "1s",
            "jitter": "lognormal:1",
            "start_at": "1s",
            "delay": "1s",
        }.items()
    ),
]


@pytest.mark.parametrize(("words", "both"), CONTRADICTIONS)
def test_a_contradiction_is_refused_and_names_both(words, both):
    with pytest.raises(WrongTiming, match=f"expected either {both}, found both; ") as raised:
        Timing.of(**words)
    assert raised.value.option in words


@pytest.mark.parametrize("made", [Timing, Timing.of])
def test_a_seed_without_anything_left_to_chance_is_refused(made):
    with pytest.raises(WrongTiming, match="seed: expected jitter"):
        made(seed=7)


@pytest.mark.parametrize("wrong", ["7", 1.5, None, True])
def test_the_value_itself_refuses_seeds_that_are_no_integers(wrong):
    with pytest.raises(WrongTiming, match="seed: expected an integer, found"):
        Timing(jitter=Lognormal(0.2), seed=wrong)


@pytest.mark.parametrize("wrong", ["lognormal:0.2", 0.2])
def test_the_value_itself_refuses_jitters_that_are_no_distributions(wrong):
    with pytest.raises(WrongTiming, match="jitter: expected a Lognormal"):
        Timing(jitter=wrong)


@pytest.mark.parametrize("name", ["start_at_ns", "delay_ns"])
def test_a_time_that_is_always_there_is_not_none(name):
    with pytest.raises(WrongTiming, match=f"{name}: expected a number of ns"):
        Timing(**{name: None})


@pytest.mark.parametrize("name", ["ttft_ns", "max_gap_ns", "start_at_ns", "delay_ns"])
@pytest.mark.parametrize("wrong", [-1, 1.5, "1s", True])
def test_the_value_itself_refuses_what_is_out_of_range(name, wrong):
    with pytest.raises(WrongTiming, match=f"{name}: expected a number of ns"):
        Timing(**{name: wrong})


@pytest.mark.parametrize("name", ["speed", "ttft_speed", "gap_speed", "pace"])
def test_the_value_itself_refuses_speeds_that_are_none(name):
    with pytest.raises(WrongTiming, match=f"{name}: expected a positive"):
        Timing(**{name: 0})


def test_words_become_numbers():
    words = {
        "speed": "2",
        "ttft": "300ms",
        "max_gap": "1s",
        "jitter": "lognormal:0.2",
        "seed": 7,
        "delay": "1ms",
    }
    assert Timing.of(**words) == Timing(
        speed=2.0,
        ttft_ns=300_000_000,
        max_gap_ns=10**9,
        jitter=Lognormal(0.2),
        seed=7,
        delay_ns=10**6,
    )


def test_a_speed_beside_a_timing_is_refused_before_anything_is_read():
    with pytest.raises(WrongTiming, match="either speed or timing"):
        load("none.tape", speed=2, timing=Timing())
    with (
        pytest.raises(WrongTiming, match="either speed or timing"),
        serve("none.tape", speed=2, timing=Timing()),
    ):
        pass
