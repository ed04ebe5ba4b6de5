"""By how much the quantiles of a metric changed from A to B, and how sure that is.

The invariant: an interval is given only where there are enough requests for it to mean what it says, and
`why` says what is missing. Values come as one series for each side; their index names the request.
"""

from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.random import Generator

from tokentape.analysis.comparing._bootstrap import (
    MIN_BEYOND,
    Floats,
    Ints,
    beyond,
    blocks,
    drawn_quantiles,
    draws,
    interval,
    resamples,
)
from tokentape.analysis.comparing._order_statistics import order_statistic_quantiles

Values: TypeAlias = "pd.Series[float]"

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
_WANTED = tuple(QUANTILES.values())
LEVEL = 0.05
ENDS = ("change_low", "change_high", "low_pct", "high_pct", "b_low", "b_high")
"""The ends of 95% intervals: of `change`, of `change_pct`, and of `b`."""
STRICT_ENDS = ("_low_pct", "_high_pct", "_low", "_high")
"""Those of `change_pct` and of `change` at the level of the verdict."""
CLOCK_MS = 0.001
LEAST_PCT = 0.05
"""What is called a difference is no less than a microsecond, and no less than what is printed as 0.1%."""
COLUMNS = ("n_a", "n_b", "a", "b", "change", "change_pct", *ENDS, "why")


def changes(
    one: Values, other: Values, rng: Generator, *, level: float, paired: bool
) -> list[dict[str, Any]]:
    """Return a row for each quantile: `COLUMNS`, `quantile` and `STRICT_ENDS`, these at `level`."""
    values_a, of_a, values_b, of_b = _numbered(one, other, paired=paired)
    n_a, n_b = (int(of.max()) + 1 if len(of) else 0 for of in (of_a, of_b))
    drawn = None
    if min(n_a, n_b) >= 2 * MIN_BEYOND:
        drawn = (_drawn_pairs if paired else _drawn)(values_a, of_a, values_b, of_b, rng)
    rows = []
    for at, (name, quantile) in enumerate(QUANTILES.items()):
        row: dict[str, Any] = dict.fromkeys(COLUMNS) | {"quantile": name, "n_a": n_a, "n_b": n_b}
        row |= dict.fromkeys((*ENDS, *STRICT_ENDS), np.nan)
        for side, values in (("a", values_a), ("b", values_b)):
            row[side] = float(np.quantile(values, quantile)) if len(values) else np.nan
        row["change"] = row["b"] - row["a"]
        row["change_pct"] = (row["b"] / row["a"] - 1) * 100 if row["a"] > 0 else np.nan
        if not min(n_a, n_b):
            row["why"] = "no-values"
        elif (
            drawn is None
            or not _is_enough(values_a, of_a, quantile)
            or not _is_enough(values_b, of_b, quantile)
        ):
            row["why"] = "too-few"
        else:
            row |= _ends(drawn[0][:, at], drawn[1][:, at], level)
            row["why"] = "zero" if np.isnan(row["low_pct"]) else None
        rows.append(row)
    if n_b >= 2 * MIN_BEYOND and not n_a:
        _, drawn_b = _drawn(values_b, of_b, values_b, of_b, rng)
        for at, (row, quantile) in enumerate(zip(rows, _WANTED, strict=True)):
            if _is_enough(values_b, of_b, quantile):
                row["b_low"], row["b_high"] = interval(drawn_b[:, at], LEVEL)
    return rows


def is_negligible(metric: str, change: float, change_pct: float) -> bool:
    """Return whether a change is less than a recording can show: it is no difference, however sure it is."""
    below_clock = metric.endswith("_ms") and abs(change) < CLOCK_MS
    return change == 0 or below_clock or abs(change_pct) < LEAST_PCT


def _is_enough(values: Floats, of: Ints, quantile: float) -> bool:
    return beyond(values, of, quantile) >= MIN_BEYOND - 1e-9


def _drawn(
    values_a: Floats, of_a: Ints, values_b: Floats, of_b: Ints, rng: Generator
) -> tuple[Floats, Floats]:
    """Return a row for each draw and a column for each quantile, of A and of B."""
    requests = [int(of.max()) + 1 for of in (of_a, of_b)]
    sides = list(zip((values_a, values_b), (of_a, of_b), requests, strict=True))
    times = resamples(sum(len(values) for values, _, n in sides if len(values) > n))
    found = []
    for values, of, n in sides:
        if len(values) == n:
            found.append(order_statistic_quantiles(values, _WANTED, times, rng))
            continue
        drawn = [drawn_quantiles(values, of, _WANTED, draws(rng, n, some)) for some in blocks(times, n)]
        found.append(np.concatenate(drawn))
    return found[0], found[1]


def _drawn_pairs(
    values_a: Floats, of_a: Ints, values_b: Floats, of_b: Ints, rng: Generator
) -> tuple[Floats, Floats]:
    """Return the same where the requests of both are the same, and are drawn together."""
    found_a, found_b = [], []
    requests = int(of_a.max()) + 1
    for times in blocks(resamples(len(values_a) + len(values_b)), requests):
        counts = draws(rng, requests, times)
        found_a.append(drawn_quantiles(values_a, of_a, _WANTED, counts))
        found_b.append(drawn_quantiles(values_b, of_b, _WANTED, counts))
    return np.concatenate(found_a), np.concatenate(found_b)


def _numbered(one: Values, other: Values, *, paired: bool) -> tuple[Floats, Ints, Floats, Ints]:
    """Return the values of both sides, in order, and the number of each one's request; of a pair the same."""
    if paired:
        both = one.index.unique().intersection(other.index.unique())
        one, other = one[one.index.isin(both)], other[other.index.isin(both)]
        of_a, of_b = both.get_indexer(one.index), both.get_indexer(other.index)
    else:
        of_a, of_b = pd.factorize(one.index)[0], pd.factorize(other.index)[0]
    return (*_ordered(one, of_a), *_ordered(other, of_b))


def _ordered(side: Values, of: Ints) -> tuple[Floats, Ints]:
    values: Floats = np.asarray(side, np.float64)
    order = np.argsort(values, kind="stable")
    return values[order], of[order]


def _ends(drawn_a: Floats, drawn_b: Floats, level: float) -> dict[str, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(drawn_a > 0, (drawn_b / drawn_a - 1) * 100, np.nan)
    found = chain(
        interval(drawn_b - drawn_a, LEVEL),
        interval(relative, LEVEL),
        interval(drawn_b, LEVEL),
        interval(relative, level),
        interval(drawn_b - drawn_a, level),
    )
    return dict(zip((*ENDS, *STRICT_ENDS), found, strict=True))
