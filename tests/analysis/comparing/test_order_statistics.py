"""What is drawn without drawing is what would be drawn: against all n ** n draws, each as likely."""

from collections import Counter
from itertools import product
from math import comb

import numpy as np
import pytest

from tokentape.analysis.comparing._bootstrap import drawn_quantiles, draws
from tokentape.analysis.comparing._order_statistics import neighbours, order_statistic_quantiles

GRID = 500


class Even:
    """In place of chance: each pair of a beta and a uniform number once, at evenly spaced probabilities."""

    def __init__(self):
        self.middles = (np.arange(GRID) + 0.5) / GRID

    def beta(self, a, b, times):
        assert times == GRID**2
        x = np.linspace(0, 1, 20_001)
        # The distribution of the a-th smallest of a + b - 1: how likely at least a of them are below.
        n = a + b - 1
        below = sum(comb(n, j) * x**j * (1 - x) ** (n - j) for j in range(a, n + 1))
        return np.repeat(np.interp(self.middles, below, x), GRID)

    def random(self, times):
        assert times == GRID**2
        return np.tile(self.middles, GRID)


@pytest.mark.parametrize(("n", "at"), [(n, at) for n in (1, 2, 3, 4, 5) for at in range(n)])
def test_places_are_as_likely_as_in_all_draws(n, at):
    every = Counter()
    for draw in product(range(n), repeat=n):
        ordered = sorted(draw)
        every[ordered[at], ordered[min(at + 1, n - 1)]] += 1
    one, other = neighbours(Even(), n, at, GRID**2)
    found = Counter(zip(one.tolist(), other.tolist(), strict=True))
    for places in found | every:
        assert found[places] / GRID**2 == pytest.approx(every[places] / n**n, abs=1.5 / GRID)


@pytest.mark.parametrize("n", [20, 21, 300])
def test_quantiles_spread_as_those_of_draws(n):
    """By chance, with a seed: means and deviations within four standard errors of one another."""
    rng = np.random.default_rng(3)
    values, wanted, times = rng.lognormal(0, 0.6, n), (0.5, 0.9, 0.99), 4_000
    found = order_statistic_quantiles(values, wanted, times, rng)
    drawn = drawn_quantiles(values, np.arange(n), wanted, draws(rng, n, times))
    error = drawn.std(axis=0) * (2 / times) ** 0.5
    assert (abs(found.mean(axis=0) - drawn.mean(axis=0)) < 4 * error).all()
    assert found.std(axis=0) == pytest.approx(drawn.std(axis=0), rel=0.15)


def test_extreme_quantiles_and_equal_values():
    rng = np.random.default_rng(3)
    values = np.array([3.0, 1.0, 2.0])
    found = order_statistic_quantiles(values, (0.0, 1.0), 2_000, rng)
    assert set(found[:, 0]) == set(found[:, 1]) == {1.0, 2.0, 3.0}
    assert (found[:, 1] == 3).mean() == pytest.approx(1 - (2 / 3) ** 3, abs=0.05)
    assert (order_statistic_quantiles(np.full(30, 7.0), (0.5, 0.99), 50, rng) == 7).all()
