"""Two recordings compared: by how much B differs from A, how sure that is, and what may be said of it.

The unit is the request: intervals draw whole requests (`_bootstrap`). An interval of a quantile needs at
least five requests beyond it; otherwise it is missing, because `too-few`. Where B's requests and answers
are A's, byte counts and all, it is a replay of A, and pairs are drawn together.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis._bootstrap import Floats, Ints, drawn_quantiles, draws, resamples
from tokentape.analysis._recording import Recording
from tokentape.analysis._summary import METRICS, groups

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}
JUDGED = ("ttft_ms", "itl_ms", "e2e_ms")
"""The metrics whose medians the verdict is about."""
LEVEL = 0.05
MIN_BEYOND = 5
EXCHANGE = ["cassette", "section", "exchange"]
_PAIR = ["request_digest", "choice", "bytes", "events"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of the difference between A and B.

    `quantiles` has a row for each metric and quantile: `a`, `b`, `n_a`, `n_b` (requests), `change` (b - a),
    `change_pct`, its 95% interval `low_pct` to `high_pct`, and in `why` what is missing and why. `effects`
    has a row for each metric: `prob_b_slower` (for tokens: has more) with its 95% interval, and
    `cliffs_delta`. With `by`, the group is the outer level of both indexes.
    """

    quantiles: pd.DataFrame
    effects: pd.DataFrame
    verdict: str
    paired: bool


def compare(a: Recording, b: Recording, *, by: str | None = None, seed: int = 0) -> Comparison:
    """Return how B differs from A, with intervals from a seeded bootstrap over requests.

    `by` as in `Recording.summary`; groups that only one of the two has are left out. The verdict is about
    the medians of TTFT, ITL and E2E, at 95% for all that it looks at together (Bonferroni).
    `prob_b_slower` is P(B > A) + P(B = A) / 2 of requests, each with its median (Vargha and Delaney 2000),
    its interval Wilson's with DeLong's variance (1988); Cliff's delta is 2 P - 1. For `tokens_per_s`,
    slower is less. Raises ValueError for a `by` that streams cannot be grouped by.
    """
    pairs = pairs_of(a.streams, b.streams)
    found_a, found_b = (
        {name: (streams, gaps) for name, streams, gaps in groups(each.streams, each.events, by)}
        for each in (a, b)
    )
    names = [name for name in found_a if name in found_b]
    rng = np.random.default_rng(seed)
    level = LEVEL / (len(JUDGED) * max(1, len(names)))
    rows: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    for name in names:
        for metric in METRICS:
            one = _by_request(metric, *found_a[name], pairs and pairs[0])
            other = _by_request(metric, *found_b[name], pairs and pairs[1])
            key = {"metric": metric} if by is None else {by: name, "metric": metric}
            rows += [key | row for row in _changes(one, other, rng, level, paired=pairs is not None)]
            effects.append(key | _effect(metric, one, other, paired=pairs is not None))
    index = ["metric"] if by is None else [by, "metric"]
    columns = [*index, "quantile", *_COLUMNS, "_low", "_high"]
    table = pd.DataFrame(rows, columns=columns)
    verdict = _verdict(table, by)
    return Comparison(
        quantiles=table.drop(columns=["_low", "_high"]).set_index([*index, "quantile"]),
        effects=pd.DataFrame(effects, columns=[*index, *_EFFECTS]).set_index(index),
        verdict=verdict,
        paired=pairs is not None,
    )


_COLUMNS = ("n_a", "n_b", "a", "b", "change", "change_pct", "low_pct", "high_pct", "why")
_EFFECTS = ("prob_b_slower", "low", "high", "cliffs_delta", "why")


def pairs_of(a: pd.DataFrame, b: pd.DataFrame) -> "tuple[pd.Series[Any], pd.Series[Any]] | None":
    """Return a name for each exchange of both, equal in pairs, if B is a replay of A."""
    named = []
    for streams in (a, b):
        plain = streams[_PAIR].astype("str").agg(" ".join, axis=1) if len(streams) else pd.Series(dtype="str")
        exchange = pd.MultiIndex.from_frame(streams[EXCHANGE].astype({"cassette": "str"}))
        whole = plain.groupby(exchange, sort=False).agg("\n".join)
        named.append(whole + "\n" + whole.groupby(whole).cumcount().astype("str"))
    one, other = named
    if not len(one) or one.duplicated().any() or set(one) != set(other):
        return None
    return one, other


def _by_request(
    metric: str, streams: pd.DataFrame, gaps: pd.DataFrame, names: "pd.Series[Any] | None"
) -> "pd.Series[float]":
    """Return the values of a metric; the index names the request of each."""
    table = gaps if metric in ("gap_ms", "read_gap_ms") else streams
    values = table[metric].astype("float64")
    keys = pd.MultiIndex.from_frame(table[EXCHANGE].astype({"cassette": "str"}))
    index = keys if names is None else pd.Index(names.reindex(keys))
    return pd.Series(values.to_numpy(), index=index).dropna()


def _numbered(one: "pd.Series[float]", other: "pd.Series[float]", *, paired: bool) -> tuple[Any, ...]:
    if paired:
        both = one.index.unique().intersection(other.index.unique())
        one, other = one[one.index.isin(both)], other[other.index.isin(both)]
        return one.to_numpy(), both.get_indexer(one.index), other.to_numpy(), both.get_indexer(other.index)
    return tuple(chain.from_iterable((each.to_numpy(), pd.factorize(each.index)[0]) for each in (one, other)))


def _changes(
    one: "pd.Series[float]",
    other: "pd.Series[float]",
    rng: np.random.Generator,
    level: float,
    *,
    paired: bool,
) -> list[dict[str, Any]]:
    values_a, of_a, values_b, of_b = _numbered(one, other, paired=paired)
    n_a, n_b = (int(of.max()) + 1 if len(of) else 0 for of in (of_a, of_b))
    bounds = _bounds(values_a, of_a, values_b, of_b, rng, level, paired=paired) if min(n_a, n_b) > 1 else None
    rows = []
    for at, (name, quantile) in enumerate(QUANTILES.items()):
        row: dict[str, Any] = dict.fromkeys(_COLUMNS) | {"quantile": name, "n_a": n_a, "n_b": n_b}
        for side, values in (("a", values_a), ("b", values_b)):
            row[side] = float(np.quantile(values, quantile)) if len(values) else np.nan
        row["change"] = row["b"] - row["a"]
        row["change_pct"] = (row["b"] / row["a"] - 1) * 100 if row["a"] > 0 else np.nan
        row |= dict.fromkeys(("low_pct", "high_pct", "_low", "_high"), np.nan)
        if not min(n_a, n_b):
            row["why"] = "no-values"
        elif min(n_a, n_b) * min(quantile, 1 - quantile) < MIN_BEYOND - 1e-9:
            row["why"] = "too-few"
        elif bounds is None or np.isnan(bounds[:, at]).any() or not row["a"] > 0:
            row["why"] = "zero"
        else:
            row["low_pct"], row["high_pct"], row["_low"], row["_high"] = bounds[:, at]
        rows.append(row)
    return rows


def _bounds(
    values_a: Floats,
    of_a: Ints,
    values_b: Floats,
    of_b: Ints,
    rng: np.random.Generator,
    level: float,
    *,
    paired: bool,
) -> Floats:
    """Return the ends of the intervals of the relative change, at 95% and at the verdict's level."""
    times = resamples(len(values_a) + len(values_b))
    quantiles = tuple(QUANTILES.values())
    counts_a = draws(rng, int(of_a.max()) + 1, times)
    counts_b = counts_a if paired else draws(rng, int(of_b.max()) + 1, times)
    drawn_a = drawn_quantiles(values_a, of_a, quantiles, counts_a)
    drawn_b = drawn_quantiles(values_b, of_b, quantiles, counts_b)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(drawn_a > 0, (drawn_b / drawn_a - 1) * 100, np.nan)
    ends = [LEVEL / 2, 1 - LEVEL / 2, level / 2, 1 - level / 2]
    return np.quantile(change, ends, axis=0)


def _effect(
    metric: str, one: "pd.Series[float]", other: "pd.Series[float]", *, paired: bool
) -> dict[str, Any]:
    slow_a, slow_b = (each.groupby(level=list(range(each.index.nlevels))).median() for each in (one, other))
    if metric == "tokens_per_s":
        slow_a, slow_b = -slow_a, -slow_b
    if paired:
        slow_a, slow_b = slow_a.align(slow_b, join="inner")
    n = min(len(slow_a), len(slow_b))
    row: dict[str, Any] = dict.fromkeys(_EFFECTS, np.nan) | {"why": None}
    if not n:
        return row | {"why": "no-values"}
    a: Floats = np.asarray(slow_a, np.float64)
    b: Floats = np.asarray(slow_b, np.float64)
    if paired:
        placed = (np.sign(b - a) + 1) / 2
        prob, variance = placed.mean(), placed.var() / n
    else:
        in_a, in_b = _placements(b, a), 1 - _placements(a, b)
        prob, variance = in_a.mean(), in_a.var() / len(b) + in_b.var() / len(a)
    row |= {"prob_b_slower": float(prob), "cliffs_delta": float(2 * prob - 1)}
    if n < 2 * MIN_BEYOND:
        return row | {"why": "too-few"}
    size = min(n, prob * (1 - prob) / variance) if variance > 0 else n
    z = 1.959964
    middle = (prob + z * z / (2 * size)) / (1 + z * z / size)
    half = z / (1 + z * z / size) * np.sqrt(prob * (1 - prob) / size + z * z / (4 * size * size))
    return row | {"low": float(max(0, middle - half)), "high": float(min(1, middle + half))}


def _placements(values: Floats, among: Floats) -> Floats:
    """Return, for each value, the share of the others that are below it; equal ones count half."""
    ordered = np.sort(among)
    below, to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (below + to) / (2 * len(among))


def _verdict(table: pd.DataFrame, by: Hashable) -> str:
    judged = table[table["metric"].isin(JUDGED) & (table["quantile"] == "p50")]
    known = judged[judged["_low"].notna()]
    if known.empty:
        return (
            "Too little to say: a median needs at least "
            f"{2 * MIN_BEYOND} requests on each side that have the metric."
        )
    told = []
    for row in known.to_dict("records"):
        where = f" ({by} {row[by]})" if by is not None else ""
        if row["_low"] > 0 or row["_high"] < 0:
            way = "slower" if row["_low"] > 0 else "faster"
            told.append(
                f"{row['metric']}{where} {way}, median {row['change_pct']:+.1f}% "
                f"(95% interval {row['low_pct']:+.1f}% to {row['high_pct']:+.1f}%)"
            )
    if told:
        return f"B differs from A: {'; '.join(told)}."
    widest = max(known.to_dict("records"), key=lambda row: row["high_pct"] - row["low_pct"])
    return (
        "No difference is shown between A and B; that is not to say there is none: the median of "
        f"{widest['metric']} may have changed by {widest['low_pct']:+.1f}% to {widest['high_pct']:+.1f}%."
    )
