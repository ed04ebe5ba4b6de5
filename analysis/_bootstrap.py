"""How sure a quantile is: whole requests are drawn again, with replacement, and never single gaps of one.

The percentile bootstrap (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13) over
clusters. A draw is a count for each request; its quantiles are exact, by linear interpolation, as though
each value stood there as often as its request was drawn. The same seed gives the same intervals.
"""

from typing import Any, TypeAlias

import numpy as np

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

RESAMPLES = 2_000
_MAX_WORK = 200_000_000
"""Draws times values of one metric; where there are more, there are fewer draws, at least 200."""
_MAX_CELLS = 4_000_000


def resamples(values: int) -> int:
    """Return how often to draw where there are so many values."""
    return max(200, min(RESAMPLES, _MAX_WORK // max(values, 1)))


def drawn_quantiles(values: Floats, cluster: Ints, quantiles: tuple[float, ...], counts: Ints) -> Floats:
    """Return a row for each draw and a column for each quantile.

    `cluster` numbers the request of each value; `counts` has a row for each draw and a column for each
    request: how often it was drawn. Every draw has to have a value.
    """
    order = np.argsort(values, kind="stable")
    ordered, of = values[order], cluster[order]
    found = np.empty((len(counts), len(quantiles)))
    step = max(1, _MAX_CELLS // max(len(values), 1))
    for start in range(0, len(counts), step):
        cumulated = counts[start : start + step][:, of].cumsum(axis=1)
        total = cumulated[:, -1]
        for column, quantile in enumerate(quantiles):
            position = (total - 1) * quantile
            low = np.floor(position)
            part = position - low
            high = np.minimum(low + 1, total - 1)
            below, above = (ordered[(cumulated > at[:, None]).argmax(axis=1)] for at in (low, high))
            found[start : start + step, column] = below + (above - below) * part
    return found


def draws(rng: np.random.Generator, requests: int, times: int) -> Ints:
    """Return how often each of the requests is drawn, `times` over."""
    counts: Ints = rng.multinomial(requests, np.full(requests, 1 / requests), size=times)
    return counts
