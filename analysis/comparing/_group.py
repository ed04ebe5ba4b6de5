"""One group of requests in A and in B, such as those of a model: each number of both, and what is between."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.comparing import _change, _counting, _effect, _failures, _lacking
from tokentape.analysis.comparing._verdict import JUDGED, LENGTH, in_group
from tokentape.analysis.summarising._summary import TOOL_METRICS

_GAPS = ("gap_ms", "read_gap_ms")
_LESS_IS_SLOWER = ("tokens_per_s",)

Names: TypeAlias = "pd.Series[Any]"
"""A number for each exchange, which its partner has, too; the index is the exchange."""


class Tables(NamedTuple):
    """What a group has in one recording: rows of `streams`, and of `events`, for their gaps."""

    streams: pd.DataFrame
    gaps: pd.DataFrame

    @property
    def nothing(self) -> "Tables":
        """The same columns without a row."""
        return Tables(self.streams.iloc[:0], self.gaps.iloc[:0])

    def by_request(self, names: "Names | None") -> "dict[str, pd.Series[float]]":
        """Return the values of each metric; their index says of which request they are."""
        of_streams, of_gaps = (_requests(table, names) for table in self)
        return {
            metric: pd.Series(
                (self.gaps if metric in _GAPS else self.streams)[metric].to_numpy("float64", na_value=np.nan),
                index=of_gaps if metric in _GAPS else of_streams,
            ).dropna()
            for metric in TOOL_METRICS
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedGroup:
    """Rows of the tables of a `Comparison`, and what the verdict needs beside them.

    `counting` says how tokens are counted if that is not the same on both sides, or is "".
    """

    quantiles: list[dict[str, Any]]
    effects: list[dict[str, Any]]
    failures: dict[str, Any]
    lacking: list[dict[str, Any]]
    counting: str


def fewest_values(a: Tables, b: Tables) -> dict[str, int]:
    """Return how many values the side with fewer has of each metric that the verdict is about."""
    return {
        metric: min(int(streams[metric].notna().sum()) for streams, _ in (a, b))
        for metric in (*JUDGED, LENGTH)
    }


def compared_group(
    group: Mapping[str, Any],
    a: Tables,
    b: Tables,
    metrics: Iterable[str],
    *,
    only: Literal["only-in-a", "only-in-b"] | None,
    pairs: "tuple[Names, Names] | None",
    level: float,
    rng: np.random.Generator,
) -> ComparedGroup:
    """Return how B's requests differ from A's; `group` has the names and values of its columns.

    `only`: one of the two has none. With `pairs`, what belongs together is drawn together. `level` is that of
    the verdict.
    """
    shares = [_counting.counted_by(streams) for streams, _ in (a, b)]
    differ = _counting.differ(*shares)
    by_a, by_b = (each.by_request(names) for each, names in zip((a, b), pairs or (None, None), strict=True))
    why = {} if only is None else {"why": only}
    quantiles: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    for metric in metrics:
        one, other, paired = by_a[metric], by_b[metric], pairs is not None
        rows = _change.changes(one, other, rng, level=level, paired=paired)
        effect = _effect.effect(one, other, less_is_slower=metric in _LESS_IS_SLOWER, paired=paired)
        if differ and metric in _counting.OF_COUNTS:
            rows = [_counting.not_comparable(row) for row in rows]
            effect = _counting.not_comparable(effect)
        key = {**group, "metric": metric}
        quantiles += [key | row | why for row in rows]
        effects.append(key | effect | why)
    return ComparedGroup(
        quantiles=quantiles,
        effects=effects,
        failures=dict(group or {"group": "all"}) | _failures.failures(a.streams, b.streams) | why,
        lacking=[{**group, **row} for row in _lacking.lacking(a.streams, b.streams, JUDGED)],
        counting=f"{_counting.words(*shares)}{in_group(group)}" if differ else "",
    )


def _requests(table: pd.DataFrame, names: "Names | None") -> "pd.Index[Any]":
    """Return a number for each row, that of its request, or the name of its pair."""
    number = table.groupby(EXCHANGE_KEY, observed=True, sort=False).ngroup()
    if names is None:
        return pd.Index(number.to_numpy())
    once = table.loc[~number.duplicated().to_numpy(), EXCHANGE_KEY]
    keys = pd.MultiIndex.from_frame(once.astype({"cassette": "str"}))
    of_each: pd.Index[Any] = pd.Index(names.reindex(keys).to_numpy()[number.to_numpy()])
    return of_each
