"""Tokens of bills, of events and of a tokenizer are not the same, and not compared as though they were."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from tests.analysis import made
from tokentape.analysis import compare

OF_COUNTS = ("itl_ms", "output_tokens", "tokens_per_s")


def counted(name, *ways, times=1.0, **columns):
    """A recording whose answers are counted in these ways in turn."""
    rng = np.random.default_rng(7)
    n = 60
    return made.recording(
        name,
        times * rng.lognormal(6, 0.2, n),
        itl_ms=rng.lognormal(3, 0.2, n),
        e2e_ms=rng.lognormal(8, 0.2, n),
        output_tokens=rng.integers(50, 60, n) * (1 if ways[0] == "chunks" else 3),
        tokens_per_s=rng.lognormal(3, 0.2, n),
        tokens_from=[ways[number % len(ways)] for number in range(n)],
        **columns,
    )


@pytest.mark.parametrize(
    ("a", "b", "said"),
    [
        (["usage"], ["chunks"], "by usage in A and by chunks in B"),
        (["tokenizer"], ["usage"], "by tokenizer in A and by usage in B"),
        (["usage"], ["usage", "chunks"], "by usage in A and by chunks+usage in B"),
        (["usage"] * 5 + ["chunks"], ["usage", "chunks"], "by usage 83%, chunks 17% in A and by"),
    ],
)
def test_recordings_that_count_differently_are_not_compared_by_counts(a, b, said):
    found = compare(counted("a", *a), counted("b", *b, times=2))
    assert f"tokens are counted {said}" in found.verdict
    assert "so that itl_ms, output_tokens and tokens_per_s cannot be compared" in found.verdict
    assert "ttft_ms slower" in found.verdict
    assert "longer" not in found.verdict
    for metric in OF_COUNTS:
        rows = found.quantiles.loc[metric]
        assert set(rows["why"]) == {"counted-differently"}
        assert rows[["a", "b"]].notna().all(axis=None)
        assert rows[["change", "change_pct", "change_low", "high_pct"]].isna().all(axis=None)
        assert rows.loc["p50", ["b_low", "b_high"]].notna().all()  # B's own
        assert found.effects.loc[metric, "why"] == "counted-differently"
        assert np.isnan(found.effects.loc[metric, "prob_b_slower"])
    assert pd.isna(found.quantiles.loc[("ttft_ms", "p50"), "why"])
    assert found.effects.loc["e2e_ms", "prob_b_slower"] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (["usage"], ["usage"]),
        (["usage"], ["usage-per-chunk"]),
        (["usage"], ["usage"] * 29 + ["chunks"]),
        (["usage", "chunks"], ["chunks", "usage"]),
    ],
)
def test_bills_are_bills_and_a_few_streams_cut_before_theirs_change_nothing(a, b):
    found = compare(counted("a", *a), counted("b", *b))
    assert "counted" not in found.verdict
    assert pd.isna(found.quantiles.loc[("itl_ms", "p50"), "why"])


def test_side_without_tokens_has_no_values():
    found = compare(counted("a", "usage"), made.recording("b", [1.0] * 30))
    assert set(found.quantiles.loc["itl_ms", "why"]) == {"no-values"}
    assert "counted" not in found.verdict


def test_group_that_counts_differently_is_named():
    models = np.repeat(["x", "y"], 30)
    one, other = counted("a", "usage", model=models), counted("b", "usage", model=models)
    other.streams["tokens_from"] = pd.Categorical(["usage"] * 30 + ["chunks"] * 30)
    found = compare(one, other, by="model")
    assert found.verdict.count("counted by") == 1
    assert "cannot be compared (model y)" in found.verdict
    assert pd.isna(found.quantiles.loc[("x", "itl_ms", "p50"), "why"])
    assert found.quantiles.loc[("y", "itl_ms", "p50"), "why"] == "counted-differently"


def test_numbers_of_different_tools_are_not_compared():
    with pytest.raises(ValueError, match="same definitions, found our own and vllm"):
        compare(counted("a", "usage"), replace(counted("b", "usage"), definitions="vllm"))
