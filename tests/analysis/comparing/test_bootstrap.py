"""How often intervals hold the truth, simulated with a seed; TOKENTAPE_SIMULATE is how often it is tried."""

import os

import numpy as np
import pytest

from tokentape.analysis.comparing._bootstrap import (
    MIN_BEYOND,
    beyond,
    blocks,
    drawn_quantiles,
    draws,
    interval,
    normal_quantile,
    resamples,
    values_beyond,
)

TRIES = int(os.environ.get("TOKENTAPE_SIMULATE", "120"))
DRAWS = 250
# Four standard errors of a coverage of 92% found by so many tries.
NOISE = 4 * (0.92 * 0.08 / TRIES) ** 0.5


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def single(values):
    return values, np.arange(len(values))


def lognormal(rng, requests):
    return single(rng.lognormal(0, 0.6, requests))


def heavy(rng, requests):
    return single(1 + rng.pareto(1.5, requests))


def clustered(rng, requests):
    """Gaps of which those of one request are alike."""
    values = rng.lognormal(0, 0.5, requests)[:, None] * rng.lognormal(0, 0.4, (requests, 20))
    return values.ravel(), np.repeat(np.arange(requests), 20)


def stalling(rng, requests):
    """Gaps of which a fifth of the requests have long ones."""
    values = rng.lognormal(0, 0.2, (requests, 20))
    long = (rng.random((requests, 20)) < 0.15) & (rng.random(requests) < 0.2)[:, None]
    return np.where(long, values * rng.lognormal(2, 0.5, values.shape), values).ravel(), np.repeat(
        np.arange(requests), 20
    )


LARGE = {make: np.sort(make(np.random.default_rng(1), 200_000)[0]) for make in (lognormal, heavy)}
LARGE |= {make: np.sort(make(np.random.default_rng(1), 20_000)[0]) for make in (clustered, stalling)}


def drawn(rng, values, cluster, quantile):
    counts = draws(rng, int(cluster.max()) + 1, DRAWS)
    return drawn_quantiles(values, cluster, (quantile,), counts)[:, 0]


def coverage(rng, make, quantile, requests):
    """How often an interval of a quantile that is given holds it, and one of a ratio of two holds 1."""
    truth = np.quantile(LARGE[make], quantile)
    holds, holds_ratio = [], []
    for _ in range(TRIES):
        (one, of_one), (other, of_other) = make(rng, requests), make(rng, requests)
        if min(beyond(one, of_one, quantile), beyond(other, of_other, quantile)) < MIN_BEYOND - 1e-9:
            continue
        drawn_one, drawn_other = drawn(rng, one, of_one, quantile), drawn(rng, other, of_other, quantile)
        low, high = interval(drawn_one, 0.05)
        holds.append(low <= truth <= high)
        low, high = interval(drawn_other / drawn_one, 0.05)
        holds_ratio.append(low <= 1 <= high)
    assert len(holds) >= TRIES / 3
    return np.mean(holds), np.mean(holds_ratio)


@pytest.mark.parametrize(
    ("make", "quantile", "requests"),
    [
        (lognormal, 0.5, 20),
        (lognormal, 0.9, 100),
        (lognormal, 0.99, 1000),
        (heavy, 0.5, 20),
        (heavy, 0.9, 100),
        pytest.param(
            heavy,
            0.99,
            1000,
            marks=pytest.mark.skipif(
                "TOKENTAPE_SIMULATE" not in os.environ,
                reason="TOKENTAPE_SIMULATE, a number of tries, asks for it",
            ),
        ),
        (clustered, 0.5, 30),
        (clustered, 0.9, 50),
        (stalling, 0.5, 30),
        (stalling, 0.9, 30),
    ],
)
def test_intervals_that_are_given_hold_the_truth(rng, make, quantile, requests):
    """Of a quantile nine times in ten, of a change between two of like size more often than that."""
    found, ratio = coverage(rng, make, quantile, requests)
    assert found >= 0.9 - NOISE
    assert ratio >= 0.94 - NOISE


@pytest.mark.parametrize("make", [lognormal, heavy])
def test_with_three_requests_beyond_a_quantile_they_would_not(rng, make):
    """The reason for the bound: what is withheld would have been wrong too often."""
    truth = np.quantile(LARGE[make], 0.9)
    held = 0
    for _ in range(TRIES):
        low, high = interval(drawn(rng, *make(rng, 30), 0.9), 0.05)
        held += low <= truth <= high
    assert held / TRIES < 0.9 + NOISE / 2
    assert beyond(*make(rng, 30), 0.9) == 3 < MIN_BEYOND


def test_intervals_are_not_wider_than_they_need_be(rng):
    found, ratio = coverage(rng, lognormal, 0.5, 200)
    assert found <= 0.95 + NOISE
    assert ratio <= 0.95 + NOISE


def test_drawn_quantiles_are_numpys_of_what_was_drawn(rng):
    values, cluster = rng.normal(size=40), rng.integers(0, 10, 40)
    cluster[:10] = range(10)
    counts = draws(rng, 10, 50)
    found = drawn_quantiles(values, cluster, (0.5, 0.9), counts)
    for row, count in zip(found, counts, strict=True):
        assert row == pytest.approx(np.quantile(np.repeat(values, count[cluster]), [0.5, 0.9]))


@pytest.mark.parametrize("deviations", [0, 1, 5])
def test_quantiles_far_from_their_ranks_are_found_too(rng, monkeypatch, deviations):
    """They are looked for near their ranks at first; with no deviation allowed, half are not there."""
    monkeypatch.setattr("tokentape.analysis.comparing._bootstrap._DEVIATIONS", deviations)
    cluster = np.repeat(np.arange(200), rng.integers(1, 30, 200))
    values = np.round(rng.lognormal(0, 0.5, 200)[cluster] * rng.lognormal(0, 0.4, len(cluster)), 2)
    counts = draws(rng, 200, 60)
    wanted = (0, 0.001, 0.5, 0.9, 0.99, 1)
    found = drawn_quantiles(values, cluster, wanted, counts)
    for row, count in zip(found, counts, strict=True):
        assert row == pytest.approx(np.quantile(np.repeat(values, count[cluster]), wanted))


def test_requests_beyond_a_quantile_are_counted_and_not_their_values():
    values = np.arange(100.0)
    assert beyond(values, np.arange(100), 0.9) == pytest.approx(10)
    assert beyond(values, np.arange(100), 0.5) == pytest.approx(50)
    assert beyond(values, np.repeat(np.arange(10), 10), 0.9) == 1  # all of one request
    assert beyond(values, np.arange(100) % 5, 0.9) == pytest.approx(5)
    assert beyond(np.zeros(100), np.arange(100), 0.9) == pytest.approx(10)  # equal ones count by rank
    assert beyond(np.zeros(4), np.arange(4), 0.99) == 0
    uneven = np.concatenate([np.zeros(8, int), [1, 2]])
    assert beyond(np.arange(100.0), np.concatenate([np.arange(3, 93), uneven]), 0.9) == pytest.approx(
        100 / 66
    )


@pytest.mark.parametrize(("quantile", "needed"), [(0.5, 20), (0.9, 100), (0.99, 1000)])
def test_ten_requests_beyond_a_quantile_are_ten_and_not_nine_and_a_half(quantile, needed):
    for n in range(needed - 60 if needed > 60 else 0, needed + 60):
        each = np.arange(n)
        assert (beyond(each.astype(float), each, quantile) >= MIN_BEYOND) == (n >= needed), n
        assert (values_beyond(n, quantile) >= MIN_BEYOND) == (n >= needed), n


def test_ends_that_draws_do_not_resolve_are_those_of_a_normal_distribution(rng):
    drawn_values = rng.normal(size=200)
    low, high = interval(drawn_values, 0.0001)
    assert low < drawn_values.min()
    assert high > drawn_values.max()
    assert (low, high) == pytest.approx((-3.5, 3.5), abs=0.6)
    assert interval(np.array([1.0, np.nan]), 0.05) == pytest.approx((np.nan, np.nan), nan_ok=True)


def test_normal_quantiles_are_those_of_the_tables():
    assert normal_quantile(0.975) == pytest.approx(1.959964, abs=1e-6)


def test_draws_are_of_as_many_requests_as_there_are_each_as_likely(rng):
    counts = draws(rng, 7, 3000)
    assert counts.shape == (3000, 7)
    assert (counts.sum(axis=1) == 7).all()
    assert counts.mean(axis=0) == pytest.approx(np.ones(7), abs=0.1)
    assert counts.var() == pytest.approx(6 / 7, abs=0.05)


@pytest.mark.parametrize(("times", "requests"), [(2000, 20), (200, 10**6), (5, 10**9), (2000, 3000)])
def test_blocks_of_draws_add_up_and_fit(times, requests):
    found = list(blocks(times, requests))
    assert sum(found) == times
    assert max(found) == 1 or max(found) * requests <= 4_000_000


def test_there_are_fewer_draws_of_more_values():
    assert [resamples(values) for values in (0, 100, 40_000, 10**9)] == [2000, 2000, 1000, 200]
