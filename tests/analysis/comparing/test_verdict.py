"""What the sentence may not say: that something is better, sure or different when no number says so."""

import numpy as np
import pytest

from tests.analysis import made
from tokentape.analysis import compare
from tokentape.analysis.comparing._change import is_negligible
from tokentape.analysis.comparing._effect import wilson
from tokentape.analysis.comparing._failures import newcombe


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
