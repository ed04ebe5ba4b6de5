import os

import numpy as np
import pandas as pd
import pytest

from tests.analysis import made
from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import compare, load
from tokentape.analysis.comparing._effect import effect
from tokentape.analysis.comparing._failures import fisher, newcombe

US = 1_000
TRIES = int(os.environ.get("TOKENTAPE_SIMULATE", "60"))


def recording(path, ttfts_ms, *, prompt="a"):
    exchanges = []
    for number, ttft in enumerate(ttfts_ms):
        times = [int(ttft * 1000) * US + step * 20_000 * US for step in range(3)]
        pieces = [(ns, data(chunk({"content": "a"}))) for ns in times]
        last = [(times[-1], data(chunk(finish="stop")) + DONE)]
        body = f'{{"model":"m","prompt":"{prompt}{number}"}}'.encode()
        exchanges.append(records([*pieces, *last], exchange=number, body=body))
    return load(write(path, *exchanges))


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def drawn(rng, name, n=30, **options):
    """A recording without any difference from others made here."""
    return made.recording(
        name,
        rng.lognormal(6, 0.6, n),
        itl_ms=1 + rng.pareto(2.5, n) * 10,
        e2e_ms=rng.lognormal(8, 0.5, n),
        output_tokens=rng.integers(50, 200, n),
        **options,
    )


def test_a_is_not_found_to_differ_from_a(rng):
    """At most one comparison in twenty, of any size, with failures as likely in both."""
    alarms = 0
    for number in range(TRIES):
        n = (20, 40, 100)[number % 3]
        one, other = (drawn(rng, name, n, failed=rng.random(n) < 0.1) for name in "ab")
        alarms += compare(one, other, seed=number).verdict.startswith("B differs")
    assert alarms / TRIES <= 0.05


def test_a_is_not_found_to_differ_from_a_in_any_of_many_groups(rng):
    tries, alarms = TRIES // 20, 0
    models = np.repeat([f"m{number}" for number in range(10)], 24)
    for number in range(tries):
        one, other = (drawn(rng, name, 240, model=models) for name in "ab")
        alarms += compare(one, other, by="model", seed=number).verdict.startswith("B differs")
    assert alarms <= max(1, tries * 0.06)


@pytest.mark.parametrize("n", [100, 1000])
@pytest.mark.parametrize("share", [0.01, 0.04, 0.1])
def test_tails_are_not_found_to_differ(rng, n, share):
    """Some of the requests of both are 20 times slower: p90 and p99 are below them, among them or between."""
    tries, alarms = TRIES // 6, 0
    for number in range(tries):
        one, other = drawn(rng, "a", n), drawn(rng, "b", n)
        for side in (one, other):
            side.streams.loc[rng.random(n) < share, ["ttft_ms", "e2e_ms"]] *= 20
        alarms += compare(one, other, seed=number).verdict.startswith("B differs")
    assert alarms <= max(1, tries * 0.05)


def test_tails_of_many_groups_are_not_found_to_differ(rng):
    tries, alarms = TRIES // 20, 0
    models = np.repeat([f"m{number}" for number in range(10)], 100)
    for number in range(tries):
        one, other = (drawn(rng, name, 1000, model=models) for name in "ab")
        alarms += compare(one, other, by="model", seed=number).verdict.startswith("B differs")
    assert alarms <= max(1, tries * 0.06)


def test_slower_recording_is_found_and_by_how_much(tmp_path, rng):
    times = rng.lognormal(5, 0.2, 60)
    one = recording(tmp_path / "a.tape", times)
    other = recording(tmp_path / "b.tape", times * 1.5, prompt="b")
    found = compare(one, other)
    row = found.quantiles.loc[("ttft_ms", "p50")]
    assert row["change_pct"] == pytest.approx(50, abs=0.1)
    assert row["low_pct"] < 50 < row["high_pct"]
    assert row["change_low"] < row["change"] < row["change_high"]
    assert row["b_low"] < row["b"] < row["b_high"]
    assert found.effects.loc["ttft_ms", "prob_b_slower"] > 0.8
    assert found.verdict.startswith("B differs from A: ttft_ms slower, median +50.0%")
    assert found.quantiles.loc[("ttft_ms", "p99"), "why"] == "too-few"
    assert not found.paired
    assert compare(one, other).quantiles.equals(found.quantiles)


def test_half_a_difference_is_found_with_forty_requests(rng):
    """Not overclaiming is easy for who never says anything: a large difference has to be found."""
    found = 0
    for number in range(10):
        one, other = drawn(rng, "a", 40), drawn(rng, "b", 40)
        other.streams["ttft_ms"] *= 2.5
        found += "ttft_ms slower" in compare(one, other, seed=number).verdict
    assert found >= 9


def test_replay_is_paired_and_its_interval_is_narrow(tmp_path, rng):
    times = rng.lognormal(5, 0.8, 40)
    found = compare(recording(tmp_path / "a.tape", times), recording(tmp_path / "b.tape", times + 10))
    assert found.paired
    assert found.effects.loc["ttft_ms", "prob_b_slower"] == 1
    assert found.quantiles.loc[("ttft_ms", "p50"), "low_pct"] > 0


def test_recording_does_not_differ_from_itself(tmp_path, rng):
    one = recording(tmp_path / "a.tape", rng.lognormal(5, 0.8, 40))
    found = compare(one, one)
    assert found.paired
    assert found.verdict.startswith("No difference is shown")
    assert found.quantiles["change"].dropna().eq(0).all()
    assert found.effects["prob_b_slower"].dropna().eq(0.5).all()


@pytest.mark.parametrize("size", [0, 1, 19])
def test_few_requests_are_too_little_to_say(tmp_path, size):
    found = compare(
        recording(tmp_path / "a.tape", [100] * size), recording(tmp_path / "b.tape", [900] * size, prompt="b")
    )
    assert found.verdict == (
        "Too little to say: a median needs at least 20 requests on each side that have the metric."
    )
    assert found.quantiles["low_pct"].isna().all()
    assert set(found.quantiles["why"]) == {"too-few" if size else "no-values"}
    assert found.effects["low"].isna().all()


def test_side_with_nothing_is_no_values_and_not_nothing_wrong(rng):
    found = compare(drawn(rng, "a"), made.recording("b", []))
    assert set(found.quantiles["why"]) == {"no-values"}
    assert found.quantiles["b"].isna().all()
    assert found.quantiles.loc[("ttft_ms", "p50"), "a"] > 0
    assert found.failures["why"].tolist() == ["no-values"]
    assert found.verdict.startswith("Too little to say")


def test_metric_that_one_side_lacks_is_left_out_and_the_rest_is_compared(rng):
    one, other = drawn(rng, "a"), drawn(rng, "b")
    other.streams["itl_ms"] = np.nan
    other.streams["ttft_ms"] *= 10
    found = compare(one, other)
    assert found.quantiles.loc["itl_ms", "why"].tolist() == ["no-values"] * 3
    assert found.effects.loc["itl_ms", "why"] == "no-values"
    assert "ttft_ms slower" in found.verdict


def test_equal_values_and_ties(rng):
    one, other = (made.recording(name, [100.0] * 30, itl_ms=[0.0] * 30) for name in "ab")
    found = compare(one, other)
    assert found.quantiles.loc[("ttft_ms", "p50"), ["low_pct", "high_pct"]].tolist() == [0, 0]
    assert found.effects.loc["ttft_ms", "prob_b_slower"] == 0.5
    low, high = found.effects.loc["ttft_ms", ["low", "high"]]
    assert low < 0.5 < high
    zero = found.quantiles.loc[("itl_ms", "p50")]
    assert (zero["change"], zero["why"]) == (0, "zero")
    assert np.isnan(zero["change_pct"])
    assert found.verdict.startswith("No difference is shown")


def test_gaps_of_one_request_are_not_many_requests(rng):
    """A request with a hundred slow gaps is one request: its p99 cannot be told from ten of them."""
    gaps = rng.lognormal(3, 0.2, (10, 400))
    one, other = (made.recording(name, [1.0] * 10, gaps_ms=gaps) for name in "ab")
    assert set(compare(one, other).quantiles.loc["gap_ms", "why"]) == {"too-few"}
    gaps = rng.lognormal(3, 0.2, (60, 400))
    one, other = (made.recording(name, [1.0] * 60, gaps_ms=gaps) for name in "ab")
    found = compare(one, other).quantiles.loc["gap_ms"]
    assert found["n_a"].tolist() == [60] * 3
    assert found["why"].isna().all()


def test_more_failures_are_said_even_if_what_is_left_is_faster(rng):
    """Survivors: B fails where it would have been slow, and what is left of it looks better."""
    n = 200
    times = rng.lognormal(6, 0.6, n)
    failed = times > np.quantile(times, 0.6)
    one, other = made.recording("a", times), made.recording("b", times, failed=failed)
    found = compare(one, other)
    row = found.failures.loc["all"]
    assert (row["failed_a"], row["failed_b"], row["n_b"]) == (0, failed.sum(), n)
    assert row["low_points"] < 40 < row["high_points"]
    assert "ttft_ms faster" in found.verdict
    assert "more requests fail: 80 of 200 requests of B failed, 0 of 200 of A" in found.verdict
    assert found.verdict.endswith("times are only of requests that have them.")


def test_failures_are_said_where_nothing_else_is_known(rng):
    n = 40
    one, other = made.recording("a", [1.0] * n), made.recording("b", [1.0] * n, failed=[True] * n)
    assert compare(one, other).verdict.startswith("B differs from A: more requests fail: 40 of 40")


def test_some_failures_are_said_and_may_be_chance(rng):
    one, other = drawn(rng, "a", failed=np.arange(30) < 1), drawn(rng, "b", failed=np.arange(30) < 3)
    verdict = compare(one, other).verdict
    assert verdict.startswith("No difference is shown")
    assert "3 of 30 requests of B failed, 1 of 30 of A, which may be chance" in verdict


def test_three_failures_of_three_are_not_enough(rng):
    """An interval of the difference alone would be sure of it."""
    one, other = made.recording("a", [1.0] * 3), made.recording("b", [1.0] * 3, failed=[True] * 3)
    assert newcombe(0, 3, 3, 3, 0.05)[0] > 0
    found = compare(one, other)
    assert found.failures.loc["all", "p_value"] == pytest.approx(0.1)
    assert found.verdict.startswith("Too little to say")
    assert "3 of 3 requests of B failed" in found.verdict


def test_requests_whose_end_was_not_recorded_did_not_fail(rng):
    outcomes = ["complete"] * 28 + ["recorder-stopped", "damaged"]
    one, other = drawn(rng, "a"), drawn(rng, "b")
    other.streams["outcome"] = outcomes
    row = compare(one, other).failures.loc["all"]
    assert (row["failed_b"], row["n_b"], row["n_a"]) == (0, 28, 30)


def test_request_with_several_choices_fails_once():
    one = made.recording("a", [1.0] * 4)
    other = made.recording("b", [1.0] * 4, failed=[True, True, False, False])
    other.streams["exchange"] = [0, 0, 1, 1]
    other.streams["choice"] = [0, 1, 0, 1]
    row = compare(one, other).failures.loc["all"]
    assert (row["failed_b"], row["n_b"]) == (1, 2)


def test_longer_answers_explain_a_later_end(rng):
    one, other = drawn(rng, "a", 60), drawn(rng, "b", 60)
    other.streams["output_tokens"] *= 3
    other.streams["e2e_ms"] *= 3
    verdict = compare(one, other).verdict
    assert "e2e_ms slower" in verdict
    assert "with answers that are longer (median +" in verdict


@pytest.mark.parametrize(
    ("counts", "p_value"),
    [((3, 4, 1, 4), 0.4857), ((0, 3, 3, 3), 0.1), ((1, 10, 11, 14), 0.002759), ((0, 5, 0, 7), 1)],
)
def test_fishers_p_value_is_that_of_the_tables(counts, p_value):
    """The lady tasting tea (Fisher 1935), by hand, and the example of scipy's documentation turned round."""
    assert fisher(*counts) == pytest.approx(p_value, abs=1e-4)


def test_newcombes_interval_is_his(rng):
    """His example of 56 / 70 and 48 / 80, method 10 (Statistics in Medicine 17, 1998, table II)."""
    low, high = newcombe(48, 80, 56, 70, 0.05)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


def test_differences_of_failures_are_held_by_their_interval(rng):
    held = 0
    for _ in range(400):
        a, b = rng.binomial(60, 0.05), rng.binomial(60, 0.2)
        low, high = newcombe(int(a), 60, int(b), 60, 0.05)
        held += low <= 0.15 <= high
    assert 0.91 <= held / 400 <= 0.985


def test_probability_of_being_slower_is_held_by_its_interval(rng):
    held = 0
    truth = 0.7602  # of N(1, 1) being above N(0, 1)
    for _ in range(100):
        one, other = (pd.Series(np.exp(rng.normal(mean, 1, 30))) for mean in (0, 1))
        row = effect(one, other, less_is_slower=False, paired=False)
        held += row["low"] <= truth <= row["high"]
    assert held / 100 >= 0.89


def test_fewer_tokens_a_second_are_slower(rng):
    one, other = drawn(rng, "a"), drawn(rng, "b")
    one.streams["tokens_per_s"] = 100.0
    other.streams["tokens_per_s"] = 50.0
    assert compare(one, other).effects.loc["tokens_per_s", "prob_b_slower"] == 1


def test_groups_are_compared_apart(tmp_path):
    one, other = (recording(tmp_path / f"{name}.tape", [100] * 22, prompt=name) for name in "ab")
    found = compare(one, other, by="model_requested")
    assert found.quantiles.index.names == ["model_requested", "metric", "quantile"]
    assert found.quantiles.loc[("m", "ttft_ms", "p50"), "change"] == 0
    assert found.effects.index.names == ["model_requested", "metric"]
    assert found.failures.index.tolist() == ["m"]
    with pytest.raises(ValueError, match="expected a column"):
        compare(one, other, by="nope")


@pytest.mark.parametrize("shown", [True, False])
def test_metrics_of_groups_are_counted_for_whoever_waits(rng, monkeypatch, shown):
    said = []

    def followed(steps, *, shown, what):
        said.append((len(steps), shown, what))
        return iter(steps)

    monkeypatch.setattr("tokentape.analysis.comparing._comparison.followed", followed)
    one, other = (drawn(rng, name, model=["x", "y"] * 15) for name in "ab")
    compare(one, other, by="model", progress=shown)
    assert said == [(2 * 7, shown, "comparing")]


def test_verdict_names_several_columns_and_what_has_no_value(rng):
    sizes = [500, None] * 30
    one, other = (
        drawn(rng, name, 60, model=["x"] * 60, prompt_tokens=pd.array(sizes, dtype="Int64")) for name in "ab"
    )
    other.streams["ttft_ms"] *= 10
    found = compare(one, other, by=["model", "prompt_size"])
    assert "ttft_ms (model x, prompt_size 0-999) slower" in found.verdict
    assert "ttft_ms (model x, without prompt_size) slower" in found.verdict
    assert [(model, str(size)) for model, size in found.failures.index] == [("x", "0-999"), ("x", "nan")]
    assert found.quantiles.index.names == ["model", "prompt_size", "metric", "quantile"]


def test_verdict_names_the_group_and_what_only_one_side_has(rng):
    models = np.repeat(["x", "y"], 30)
    one = drawn(rng, "a", 60, model=models)
    other = drawn(rng, "b", 60, model=np.repeat(["x", "z"], 30))
    other.streams["ttft_ms"] *= 5
    found = compare(one, other, by="model")
    assert "ttft_ms (model x) slower" in found.verdict
    assert found.left_out == ("model y is only in A", "model z is only in B")
    assert found.verdict.endswith("model y is only in A; model z is only in B.")


def test_a_request_that_failed_is_in_the_times_that_it_reached_and_in_no_other(tmp_path):
    tokens = [((100 + 20 * n) * MS, data(chunk({"content": "a"}))) for n in range(4)]
    failed = write(
        tmp_path / "failed.tape", *(records(tokens, exchange=n, end="upstream-error") for n in range(30))
    )
    found = compare(load(failed), load(failed)).quantiles
    assert found.loc[("ttft_ms", "p50"), ["n_a", "a"]].tolist() == [30, 100.0]
    assert found.loc[("itl_ms", "p50"), "n_a"] == found.loc[("gap_ms", "p50"), "n_a"] == 30
    assert found.loc[("e2e_ms", "p50"), "n_a"] == 0
