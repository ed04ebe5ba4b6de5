"""How sure a quantile is: whole requests are drawn again, with replacement, and never single gaps of one.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) over
clusters. A draw is a count for each request; its quantiles are exact, by linear interpolation, as though
each value stood there as often as its request was drawn. The same seed gives the same intervals.

A draw holds no value that was not seen, so far out, where few values are, its quantiles spread too little.
How many are enough was simulated (`tests/analysis/comparing/test_bootstrap.py` holds it): with ten requests
beyond a quantile, 95% intervals of it hold the truth nine times in ten or more, for lognormal, for heavy
tails and for gaps of which those of one request are alike; with five, 82% was seen. Intervals of a change
between two recordings of like size are better, since what each lacks is much the same: 94% or more.
"""

from collections.abc import Iterator
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

RESAMPLES = 2_000
MIN_BEYOND = 10
"""Of how many requests values must be on either side of a quantile for its interval to be trusted."""
_MAX_WORK = 40_000_000
"""Draws times values of one metric; where there are more, there are fewer draws, at least 200."""
_MAX_CELLS = 4_000_000
_DEVIATIONS = 5
"""How far from its rank a quantile is looked for first; what is further out is looked for everywhere."""


def resamples(values: int) -> int:
    """Return how often to draw where there are so many values."""
    return max(200, min(RESAMPLES, _MAX_WORK // max(values, 1)))


def values_beyond(values: int, quantile: float) -> int:
    """Return how many of so many values are on the side of a quantile where there are fewer, by rank."""
    return int(values * min(quantile, 1 - quantile) + 1e-9)


def beyond(values: Floats, cluster: Ints, quantile: float) -> float:
    """Return of how many requests there are values on the side of a quantile where there are fewer.

    Values are apportioned by their ranks, so that equal ones do not count as none. A request with many of
    them does not count as much as many requests: it is Kish's effective number, (sum c)^2 / sum c^2 of how
    many each has (Survey Sampling, 1965).
    """
    order = np.argsort(values, kind="stable")
    cut = values_beyond(len(values), quantile)
    if not cut:
        return 0.0
    counts = np.bincount(cluster[order[-cut:] if quantile > 0.5 else order[:cut]]).astype("float64")
    return float(counts.sum()) ** 2 / float((counts**2).sum())


def drawn_quantiles(values: Floats, cluster: Ints, quantiles: tuple[float, ...], counts: Ints) -> Floats:
    """Return a row for each draw and a column for each quantile.

    `cluster` numbers the request of each value; `counts` has a row for each draw and a column for each
    request: how often it was drawn. Every draw has to have a value.
    """
    order = np.argsort(values, kind="stable")
    ordered, of = values[order], cluster[order]
    sizes = np.bincount(of, minlength=counts.shape[1])
    total = counts @ sizes
    found = np.empty((len(counts), len(quantiles)))
    for column, quantile in enumerate(quantiles):
        first, last = _window(of, sizes, quantile)
        found[:, column] = _within(ordered, of, quantile, counts, total, first, last)
        out = np.isnan(found[:, column])
        if out.any():
            found[out, column] = _within(ordered, of, quantile, counts[out], total[out], 0, len(of))
    return found


def _window(of: Ints, sizes: Ints, quantile: float) -> tuple[int, int]:
    """Return between which ranks a quantile is in all but few draws.

    The values of a draw below that rank, less their share, are a sum over requests: of each, how many more of
    its values are below than its share. Its deviation is the root of the sum of their squares.
    """
    rank = int((len(of) - 1) * quantile)
    more = np.bincount(of[:rank], minlength=len(sizes)) - quantile * sizes
    reach = _DEVIATIONS * int(np.sqrt((more**2).sum()) + 1)
    return max(0, rank - reach), min(len(of), rank + reach + 2)


def _within(
    ordered: Floats, of: Ints, quantile: float, counts: Ints, total: Ints, first: int, last: int
) -> Floats:
    """Return a quantile of each draw, NaN where it is not between the ranks; the others are only counted."""
    below_window = counts @ np.bincount(of[:first], minlength=counts.shape[1])
    position = (total - 1) * quantile
    low = np.floor(position).astype(np.int64)
    high = np.minimum(low + 1, total - 1)
    found = np.full(len(counts), np.nan)
    step = max(1, _MAX_CELLS // max(last - first, 1))
    for start in range(0, len(counts), step):
        rows = slice(start, start + step)
        taken = counts[rows].take(of[first:last], axis=1)
        # One sum over all draws: it only grows, so a place in any draw is found by bisection.
        summed = taken.ravel().cumsum()
        ends = summed[last - first - 1 :: last - first]
        before = np.concatenate([[0], ends[:-1]])
        at, after = (each[rows] - below_window[rows] for each in (low, high))
        inside = (at >= 0) & (after < ends - before)
        starts = (np.arange(len(taken)) * (last - first))[inside]
        below, above = (
            ordered[first + summed.searchsorted((before + each)[inside], side="right") - starts]
            for each in (at, after)
        )
        found[rows][inside] = below + (above - below) * (position[rows] - low[rows])[inside]
    return found


def draws(rng: np.random.Generator, requests: int, times: int) -> Ints:
    """Return how often each of the requests is drawn, `times` over."""
    drawn = rng.integers(0, requests, (times, requests)) + np.arange(times)[:, None] * requests
    return np.bincount(drawn.ravel(), minlength=times * requests).reshape(times, requests)


def blocks(times: int, requests: int) -> Iterator[int]:
    """Yield how many draws to make at once, until there are so many, for their counts to fit in memory."""
    most = max(1, _MAX_CELLS // max(requests, 1))
    while times > 0:
        yield min(most, times)
        times -= most


def interval(drawn: Floats, level: float) -> tuple[float, float]:
    """Return the ends between which all but `level` of the draws are; NaN if one of them is not a number.

    Where `level` asks for ends that the number of draws does not resolve, they are those of a normal
    distribution with the draws' mean and deviation if these are further out.
    """
    if np.isnan(drawn).any():
        return np.nan, np.nan
    low, high = np.quantile(drawn, [level / 2, 1 - level / 2])
    if len(drawn) * level / 2 < _RESOLVED:
        reach = normal_quantile(1 - level / 2) * float(drawn.std())
        middle = float(drawn.mean())
        low, high = min(low, middle - reach), max(high, middle + reach)
    return float(low), float(high)


_RESOLVED = 10


def normal_quantile(probability: float) -> float:
    """Return the quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)
