"""What the sentence may not say: that something is better, sure or different when no number says so."""

import re

import numpy as np
import pytest

from tests.analysis import made
from tokentape.analysis import compare
from tokentape.analysis.comparing import _comparison
from tokentape.analysis.comparing._change import is_negligible
from tokentape.analysis.comparing._effect import wilson
from tokentape.analysis.comparing._failures import newcombe
from tokentape.analysis.comparing._verdict import JUDGED, LENGTH, level_of, questions


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def without(times, missing):
    """The same times, of which the first ones were never there: answers without a token that are complete."""
    return np.where(np.arange(len(times)) < missing, np.nan, times)


@pytest.mark.parametrize(("faster", "told"), [(0.5, "ttft_ms faster, median -"), (1, "more requests")])
def test_answers_without_a_token_are_said_and_not_praised(rng, faster, told):
    one, other = rng.lognormal(6, 0.1, (2, 40))
    other = without(other * faster, 20)
    found = compare(made.recording("a", one, e2e_ms=one), made.recording("b", other, e2e_ms=other))
    assert found.failures.loc["all", ["failed_a", "failed_b"]].tolist() == [0, 0]
    assert found.verdict.startswith(f"B differs from A: {told}")
    assert (
        "more requests without ttft_ms and e2e_ms, though they did not fail: 20 of 40 of B, 0 of 40 of A "
        "(95% interval +32.8 points to +64.8 points)" in found.verdict
    )
    assert found.verdict.endswith("times are only of requests that have them.")
    back = compare(made.recording("b", other), made.recording("a", one))
    assert "fewer requests without ttft_ms, though they did not fail: 0 of 40 of B, 20 of 40" in back.verdict


def test_answers_without_a_token_that_may_be_chance_are_not_a_difference(rng):
    one, other = rng.lognormal(6, 0.5, (2, 40))
    found = compare(made.recording("a", without(one, 2)), made.recording("b", without(other, 5)))
    assert found.verdict.startswith("No difference is shown")
    assert "without" not in found.verdict


def test_answers_without_a_token_are_counted_by_group_and_by_request(rng):
    times, models = rng.lognormal(6, 0.5, (2, 80)), np.repeat(["x", "y"], 40)
    one, other = (made.recording(name, each, model=models) for name, each in zip("ab", times, strict=True))
    other.streams.loc[40:59, "ttft_ms"] = np.nan
    assert (
        "without ttft_ms (model y), though they did not fail: 20 of 40"
        in compare(one, other, by="model").verdict
    )
    other.streams["exchange"] //= 2
    assert "10 of 20 of B, 0 of 40 of A" in compare(one, other, by="model").verdict


def test_failures_and_missing_times_are_told_apart(rng):
    one, other = rng.lognormal(6, 0.1, (2, 60))
    failed = np.arange(60) >= 40
    found = compare(made.recording("a", one), made.recording("b", without(other, 20), failed=failed))
    assert "20 of 40 of B, 0 of 60 of A" in found.verdict
    assert "20 of 60 requests of B failed" in found.verdict
    assert found.verdict.endswith("times are only of requests that have them.")


@pytest.mark.parametrize("n", [1, 7, 24, 40, 1000])
def test_share_of_none_begins_at_nothing_and_of_all_ends_at_all(n):
    """Wilson's formula gives 6.9e-16 for none of 24, and so "surely more than 0%"."""
    assert wilson(0, n, 0.05)[0] == 0
    assert wilson(1, n, 0.05)[1] == 1
    assert wilson(0, n, 0.05)[1] == pytest.approx(1 - wilson(1, n, 0.05)[0])
    assert newcombe(0, n, 0, n, 0.05)[0] == -newcombe(0, n, 0, n, 0.05)[1]


def test_change_from_zero_is_told_in_milliseconds(rng):
    one, other = made.recording("a", np.zeros(30)), made.recording("b", rng.uniform(90, 110, 30))
    found = compare(one, other)
    assert found.quantiles.loc[("ttft_ms", "p50"), "why"] == "zero"
    assert found.verdict.startswith("B differs from A: ttft_ms slower, median +")
    assert " ms from 0 (95% interval +9" in found.verdict
    assert "%)" not in found.verdict
    assert "ttft_ms faster, median -" in compare(other, one).verdict


def test_no_change_from_zero_is_no_difference_and_not_too_little():
    one, other = (made.recording(name, np.zeros(30)) for name in "ab")
    assert compare(one, other).verdict == (
        "No difference is shown between A and B in medians (p90 and p99 take more requests); that is not to "
        "say there is none: they are the same in every draw of requests."
    )


def test_what_may_have_changed_from_zero_is_said_beside_what_is_the_same():
    flat, some = np.full(40, 100.0), np.tile([0.0, 0.0, 0.0, 5.0, 5.0], 8)
    one, other = (made.recording(name, flat, itl_ms=some) for name in "ab")
    assert "the median of itl_ms may have changed by -5.2 ms to +5.3 ms." in compare(one, other).verdict


def test_the_first_interval_says_what_it_is_even_if_a_change_before_it_has_none():
    times = np.concatenate([np.full(800, 100.0), np.linspace(200, 300, 200)])
    found = compare(made.recording("a", times), made.recording("b", 2 * times))
    assert "median +100.0% (the same in every draw of requests: no interval), p90 +" in found.verdict
    assert found.verdict.count("95% interval") == 1


def test_a_change_that_may_be_from_zero_is_bounded_in_milliseconds(rng):
    one, other = (made.recording(name, np.where(rng.random(40) < 0.5, 0.0, 5.0)) for name in "ab")
    verdict = compare(one, other).verdict
    assert verdict.startswith("No difference is shown")
    assert "the median of ttft_ms may have changed by -5.0 ms to +5.0 ms" in verdict


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (100, 100.0000001),
        (100, 100.0009),
        (100, 100.049),
        (1e6, 1e6 + 400),
        (0.1, 0.1009),
        (0, 0.0009),
    ],
)
def test_less_than_a_recording_can_show_is_no_difference(before, after):
    for one, other in ((before, after), (after, before)):
        sides = (made.recording(name, np.full(30, each)) for name, each in (("a", one), ("b", other)))
        assert compare(*sides).verdict.startswith("No difference is shown"), (one, other)


@pytest.mark.parametrize(("before", "after"), [(100, 100.06), (0, 0.0011), (0.1, 0.102)])
def test_what_is_just_above_that_is_one(before, after):
    sides = (made.recording(name, np.full(30, each)) for name, each in (("a", before), ("b", after)))
    assert compare(*sides).verdict.startswith("B differs from A: ttft_ms slower")


def test_counts_have_no_clock():
    assert not is_negligible("output_tokens", 0.0001, 0.1)
    assert is_negligible("ttft_ms", 0.0001, 0.1)
    assert is_negligible("output_tokens", 0.0, np.nan)


def test_values_that_do_not_vary_have_no_interval():
    """Draws of equal values are equal: that is no certainty about what was not seen."""
    one, other = made.recording("a", np.full(30, 100.0)), made.recording("b", np.full(30, 150.0))
    assert compare(one, other).verdict == (
        "B differs from A: ttft_ms slower, median +50.0% (the same in every draw of requests: no interval)."
    )


def test_group_of_one_side_comes_with_its_own_numbers(rng):
    models = np.repeat(["x", "y"], 30)
    one = made.recording("a", rng.lognormal(6, 0.5, 60), model=models)
    other = made.recording(
        "b",
        rng.lognormal(6, 0.5, 60),
        model=np.repeat(["x", "z"], 30),
        failed=np.arange(60) >= 58,
    )
    found = compare(one, other, by="model")
    assert found.failures.index.tolist() == ["x", "y", "z"]
    assert found.failures["why"].dropna().to_dict() == {"y": "only-in-a", "z": "only-in-b"}
    assert found.failures.loc["z", ["n_a", "failed_b", "n_b"]].tolist() == [0, 2, 30]
    only = found.quantiles.loc[("z", "ttft_ms", "p50")]
    assert only["b_low"] < only["b"] < only["b_high"]
    assert only[["a", "change", "low_pct"]].isna().all()
    assert found.quantiles.loc[("z", "ttft_ms", "p99"), ["b_low", "b_high"]].isna().all()
    assert set(found.effects.loc["y", "why"]) == {"only-in-a"}
    said = "2 of 30 requests of B failed (model z); model y is only in A; model z is only in B."
    assert said in found.verdict
    same = made.recording("b", other.streams["ttft_ms"][:30], model=["x"] * 30)
    assert compare(one, same, by="model").quantiles.loc["x"].equals(found.quantiles.loc["x"])


def test_a_replay_in_other_groups_is_compared_by_none():
    """Paired as a whole, and by cassette no group is in both."""
    one, other = (made.recording(name, np.arange(30.0)) for name in "ab")
    other.streams["request_digest"] = one.streams["request_digest"]
    assert compare(one, other).paired
    found = compare(one, other, by="cassette")
    assert found.failures["why"].tolist() == ["only-in-a", "only-in-b"]
    assert found.verdict == "Nothing to compare: cassette a is only in A; cassette b is only in B."
    assert found.quantiles.loc[("b", "ttft_ms", "p50"), ["b", "n_b"]].tolist() == [14.5, 30]
    assert found.quantiles.loc[("b", "ttft_ms", "p50"), "b_low"] < 14.5


def stalled(rng, times, share):
    """The same times, of which this share is 20 times as long."""
    return np.where(rng.random(len(times)) < share, 20 * times, times)


def test_a_tail_that_is_slower_is_a_difference_though_the_median_is_not(rng):
    one, other = rng.lognormal(5, 0.3, (2, 1000))
    found = compare(made.recording("a", one), made.recording("b", stalled(rng, other, 0.03)))
    row = found.quantiles.loc[("ttft_ms", "p99")]
    assert row["change_pct"] > 500
    assert found.verdict.startswith("B differs from A: ttft_ms slower, p9")
    assert f"p99 {row['change_pct']:+.1f}% (" in found.verdict
    ends = f"{row['low_pct']:+.1f}% to {row['high_pct']:+.1f}%)"
    assert found.verdict.endswith(f"{ends}; medians are not shown to differ.")
    back = compare(made.recording("b", stalled(rng, other, 0.03)), made.recording("a", one))
    assert back.verdict.startswith("B differs from A: ttft_ms faster, p9")


def test_a_metric_that_differs_at_several_quantiles_is_told_in_one_clause(rng):
    one, other = rng.lognormal(5, 0.3, (2, 1000))
    found = compare(made.recording("a", one), made.recording("b", 1.5 * other))
    (clause,) = found.verdict.removeprefix("B differs from A: ").rstrip(".").split("; ")
    assert clause.startswith("ttft_ms slower, median +")
    assert [clause.count(word) for word in ("95% interval", "p90 +", " and p99 +", "slower")] == [1, 1, 1, 1]
    assert "not shown" not in found.verdict


def test_a_metric_may_be_faster_at_its_median_and_slower_in_its_tail(rng):
    one, other = rng.lognormal(5, 0.3, (2, 1000))
    found = compare(made.recording("a", one), made.recording("b", stalled(rng, other / 2, 0.2)))
    assert "ttft_ms faster, median -" in found.verdict
    assert ", and slower, p90 +" in found.verdict
    assert "not shown" not in found.verdict


def test_a_tail_is_told_of_its_group(rng):
    models = np.repeat(["x", "y"], 200)
    one, other = rng.lognormal(5, 0.3, (2, 400))
    other[200:] = stalled(rng, other[200:], 0.3)
    found = compare(
        made.recording("a", one, model=models), made.recording("b", other, model=models), by="model"
    )
    assert "ttft_ms (model y) slower, " in found.verdict
    assert "ttft_ms (model x)" not in found.verdict


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (20, "medians (p90 and p99 take more requests)"),
        (99, "medians (p90 and p99 take more requests)"),
        (100, "medians and p90 (p99 takes more requests)"),
        (999, "medians and p90 (p99 takes more requests)"),
        (1000, "medians, p90 and p99"),
    ],
)
def test_no_difference_says_what_was_looked_at(rng, n, said):
    one, other = (made.recording(name, rng.lognormal(5, 0.3, n)) for name in "ab")
    found = compare(one, other)
    assert found.verdict.startswith(
        f"No difference is shown between A and B in {said}; that is not to say there is none: the "
    )
    row = found.quantiles.loc["ttft_ms"].dropna(subset="low_pct").iloc[-1]
    name = "median" if row.name == "p50" else row.name
    told = re.search(rf"the {name} of ttft_ms may have changed by ([-+].*)% to ([-+].*)%\.", found.verdict)
    low, high = map(float, told.groups())
    # It is that of the test which did not find a difference: 0 is in it, and it is wider than that of 95%.
    assert low <= 0 <= high
    assert low <= row["low_pct"] <= row["high_pct"] <= high


def test_what_was_looked_at_in_some_groups_only_is_said(rng):
    models = np.repeat(["x", "y"], [120, 30])
    one, other = (made.recording(name, rng.lognormal(5, 0.3, 150), model=models) for name in "ab")
    assert (
        "in medians and p90 (p90 only where there are enough requests; p99 takes more requests);"
        in compare(one, other, by="model").verdict
    )


def test_length_is_told_at_the_quantiles_that_differ(rng):
    n = 1000
    times, tokens = rng.lognormal(8, 0.3, (2, n)), rng.lognormal(5, 0.3, (2, n))
    slow = np.where(rng.random(n) < 0.03, 20, 1)
    found = compare(
        made.recording("a", times[0], e2e_ms=times[0], output_tokens=np.rint(tokens[0])),
        made.recording("b", times[1], e2e_ms=times[1] * slow, output_tokens=np.rint(tokens[1] * slow)),
    )
    assert found.verdict.startswith("B differs from A: e2e_ms slower, p9")
    assert ", with answers that are longer (p99 +" in found.verdict
    assert "ttft_ms" not in found.verdict


@pytest.mark.parametrize(
    ("n", "number"), [(0, 4), (19, 4), (20, 8), (99, 8), (100, 12), (999, 12), (1000, 16), (10**6, 16)]
)
def test_what_is_judged_is_known_from_numbers_and_all_of_it_counts(n, number):
    values = dict.fromkeys((*JUDGED, LENGTH), n)
    assert questions(values) == number
    assert level_of([number, number]) == pytest.approx(0.05 / (2 * number))
    assert questions(values | {"itl_ms": 0}) == number - (number - 4) / 4


def test_every_judged_row_was_counted(rng, monkeypatch):
    """Also where requests have several values, and where many fail: none is judged that was not asked."""
    asked = []
    monkeypatch.setattr(_comparison, "level_of", lambda each: asked.append(sum(each)) or 0.01)
    for n, missing in ((40, 0), (120, 0), (120, 30), (1200, 150), (1200, 201)):
        one, other = (
            made.recording(name, without(rng.lognormal(5, 0.3, n), missing), itl_ms=rng.lognormal(5, 1, n))
            for name in "ab"
        )
        for side in (one, other):
            side.streams["exchange"] //= 2
        rows = compare(one, other).quantiles.loc[["ttft_ms", "itl_ms"]]
        assert rows["low_pct"].notna().sum() <= asked.pop() - 4
