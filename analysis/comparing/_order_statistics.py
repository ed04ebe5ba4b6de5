"""Quantiles of draws with replacement, without drawing: each costs the same, of ten values or of ten million.

Of n draws from n values, the k-th smallest is the value at place ceil(n U), where U is the k-th smallest of
n numbers that are uniform between 0 and 1: each draw is the value at ceil(n u) for one of these, and this
grows with u. Such a U has the distribution Beta(k, n + 1 - k), and the n - k above it are uniform between it
and 1, so that the next one is 1 - (1 - U) V^(1 / (n - k)) for another uniform V. That a bootstrap of order
statistics needs no resampling: D. L. Evans, L. M. Leemis and J. H. Drew, The Distribution of Order Statistics
for Discrete Random Variables with Applications to Bootstrapping, INFORMS Journal on Computing 18, 2006
(doi 10.1287/ijoc.1040.0105), who compute exactly what is drawn here.

The invariant: each column has the distribution that `drawn_quantiles` has if every request has one value.
Columns are drawn apart, so that only one of them at a time means anything.
"""

from typing import Any

import numpy as np

from tokentape.analysis.comparing._bootstrap import Floats, Ints


def order_statistic_quantiles(
    values: Floats, quantiles: tuple[float, ...], times: int, rng: np.random.Generator
) -> Floats:
    """Return a row for each draw and a column for each quantile of as many values as there are."""
    ordered = np.sort(values)
    found = np.empty((times, len(quantiles)))
    for column, quantile in enumerate(quantiles):
        position = (len(ordered) - 1) * quantile
        low = int(position)
        below, above = (ordered[at] for at in neighbours(rng, len(ordered), low, times))
        found[:, column] = below + (above - below) * (position - low)
    return found


def neighbours(rng: np.random.Generator, n: int, at: int, times: int) -> tuple[Ints, Ints]:
    """Return the places of the values that are at `at`, from 0, and next to it in each of so many draws of n.

    Next to the last is itself.
    """
    first: Any = rng.beta(at + 1, n - at, times)
    after = first
    if at < n - 1:
        after = 1 - (1 - first) * rng.random(times) ** (1 / (n - at - 1))
    one, other = (np.minimum((each * n).astype(np.int64), n - 1) for each in (first, after))
    return one, np.maximum(one, other)  # rounding could put the later one before
