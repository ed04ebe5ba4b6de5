"""By how much the quantiles of a metric changed from A to B, and how sure that is.

The invariant: an interval is given only where there are enough requests for it to mean what it says, and
`why` says what is missing. Values come as one series for each side; their index names the request.
"""

from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis.comparing._bootstrap import (
    MIN_BEYOND,
    Floats,
    beyond,
    blocks,
    drawn_quantiles,
    draws,
    interval,
    resamples,
)

Values: TypeAlias = "pd.Series[float]"

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
LEVEL = 0.05
ENDS = ("change_low", "change_high", "low_pct", "high_pct", "b_low", "b_high")
"""The ends of 95% intervals: of `change`, of `change_pct`, and of `b`."""
STRICT_ENDS = ("_low", "_high")
"""Those of `change_pct` at the level of the verdict."""
COLUMNS = ("n_a", "n_b", "a", "b", "change", "change_pct", *ENDS, "why")


def changes(
    one: Values, other: Values, rng: np.random.Generator, *, level: float, paired: bool
) -> list[dict[str, Any]]:
    """Return a row for each quantile: `COLUMNS`, `quantile` and `STRICT_ENDS`, these at `level`."""
    values_a, of_a, values_b, of_b = _numbered(one, other, paired=paired)
    n_a, n_b = (int(of.max()) + 1 if len(of) else 0 for of in (of_a, of_b))
    drawn = None
    if min(n_a, n_b) >= 2 * MIN_BEYOND:
        found_a, found_b = [], []
        wanted = tuple(QUANTILES.values())
        for times in blocks(resamples(len(values_a) + len(values_b)), max(n_a, n_b)):
            counts_a = draws(rng, n_a, times)
            counts_b = counts_a if paired else draws(rng, n_b, times)
            found_a.append(drawn_quantiles(values_a, of_a, wanted, counts_a))
            found_b.append(drawn_quantiles(values_b, of_b, wanted, counts_b))
        drawn = np.concatenate(found_a), np.concatenate(found_b)
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
            or min(beyond(values_a, of_a, quantile), beyond(values_b, of_b, quantile)) < MIN_BEYOND - 1e-9
        ):
            row["why"] = "too-few"
        else:
            row |= _ends(drawn[0][:, at], drawn[1][:, at], level)
            row["why"] = "zero" if np.isnan(row["low_pct"]) else None
        rows.append(row)
    return rows


def _numbered(one: Values, other: Values, *, paired: bool) -> tuple[Any, ...]:
    """Return the values of both sides and the number of each value's request; the same for both of a pair."""
    if paired:
        both = one.index.unique().intersection(other.index.unique())
        one, other = one[one.index.isin(both)], other[other.index.isin(both)]
        return one.to_numpy(), both.get_indexer(one.index), other.to_numpy(), both.get_indexer(other.index)
    return tuple(chain.from_iterable((each.to_numpy(), pd.factorize(each.index)[0]) for each in (one, other)))


def _ends(drawn_a: Floats, drawn_b: Floats, level: float) -> dict[str, float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(drawn_a > 0, (drawn_b / drawn_a - 1) * 100, np.nan)
    found = chain(
        interval(drawn_b - drawn_a, LEVEL),
        interval(relative, LEVEL),
        interval(drawn_b, LEVEL),
        interval(relative, level),
    )
    return dict(zip((*ENDS, *STRICT_ENDS), found, strict=True))
