"""Two recordings compared: by how much B differs from A, how sure that is, and what may be said of it.

The unit is the request: intervals draw whole requests (`_bootstrap`). Where B's requests and answers are
A's, byte counts and all, it is a replay of A, and pairs are drawn together (`_pairs`).
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, product
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing import _change, _counting, _effect, _failures, _lacking
from tokentape.analysis.comparing._pairs import EXCHANGE, pairs_of
from tokentape.analysis.comparing._verdict import JUDGED, in_group, level_of, verdict
from tokentape.analysis.summarising._grouping import By, group_words, names_of
from tokentape.analysis.summarising._summary import METRICS, TOOL_METRICS, groups
from tokentape.progress import followed

QUANTILES = _change.QUANTILES
_GAPS = ("gap_ms", "read_gap_ms")
_LESS_IS_SLOWER = ("tokens_per_s",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What is known of the difference between A and B.

    `quantiles` has a row for each metric and quantile: `a`, `b`, `n_a`, `n_b` (requests), `change` (b - a),
    `change_pct`, 95% intervals of these two and of `b` (`change_low` to `change_high`, `low_pct` to
    `high_pct`, `b_low` to `b_high`), and in `why` what is missing and why. `effects` has a row for each
    metric: `prob_b_slower` (for tokens: has more) with its 95% interval, and `cliffs_delta`. `failures` has
    one row: how many requests failed in both, `change_points` (of a percentage) with its 95% interval, and
    Fisher's exact `p_value`. With `by`, the group's names are the outer levels of all indexes; a group that
    only one of the two has comes with the numbers of that side, `why` is `only-in-a` or `only-in-b`, and
    `left_out` says so in words.
    """

    quantiles: pd.DataFrame
    effects: pd.DataFrame
    failures: pd.DataFrame
    verdict: str
    paired: bool
    left_out: tuple[str, ...] = ()


def compare(
    a: Recording, b: Recording, *, by: By | None = None, seed: int = 0, progress: bool = True
) -> Comparison:
    """Return how B differs from A, with intervals from a seeded bootstrap over requests.

    `by` as in `Recording.summary`; what only one of the two has is not compared, and said. The verdict
    is about the medians of TTFT, ITL and E2E and about failures, at 95% for all that it looks at together.
    `prob_b_slower` is P(B > A) + P(B = A) / 2 of requests, each with its median; Cliff's delta is 2 P - 1.
    For `tokens_per_s`, slower is less. Where A and B do not count tokens in the same way, what is made of
    counts is not compared, and the verdict says so. `progress`: show a bar on a terminal after the first
    second.

    Raises ValueError for a `by` that streams cannot be grouped by, and for recordings of which the numbers
    have the definitions of different tools.
    """
    if a.definitions != b.definitions:
        both = " and ".join(each.definitions or "our own" for each in (a, b))
        raise ValueError(f"expected two recordings with the same definitions, found {both}")
    columns = names_of(by)
    metrics = METRICS if a.definitions is None else TOOL_METRICS
    pairs = pairs_of(a.streams, b.streams)
    found_a, found_b = (
        {name: (streams, gaps) for name, streams, gaps in groups(each.streams, each.events, by)}  # type: ignore[arg-type,unused-ignore]  # where only one column is known
        for each in (a, b)
    )
    names = [*found_a, *(name for name in found_b if name not in found_a)]
    level = level_of(len(found_a.keys() & found_b.keys()))
    rng = np.random.default_rng(seed)
    quantiles: list[dict[str, Any]] = []
    effects: list[dict[str, Any]] = []
    failures: list[dict[str, Any]] = []
    counting: list[str] = []
    lacking: list[dict[str, Any]] = []
    nothing = (a.streams.iloc[:0], a.events.iloc[:0])
    steps = followed([*product(names, metrics)], shown=progress, what="comparing")
    for name, of_name in groupby(steps, key=itemgetter(0)):
        group = _group(columns, name)
        only = "only-in-b" if name not in found_a else "only-in-a" if name not in found_b else None
        paired = pairs is not None and only is None
        in_a, in_b = (each.get(name, nothing) for each in (found_a, found_b))
        counted = [_counting.counted_by(streams) for streams, _ in (in_a, in_b)]
        if differ := _counting.differ(*counted):
            counting.append(f"{_counting.words(*counted)}{in_group(group)}")
        by_a, by_b = (
            _by_request(*each, pairs[side] if pairs is not None and paired else None)
            for side, each in enumerate((in_a, in_b))
        )
        for _, metric in of_name:
            one, other = by_a[metric], by_b[metric]
            key = group | {"metric": metric}
            rows = _change.changes(one, other, rng, level=level, paired=paired)
            less = metric in _LESS_IS_SLOWER
            effect = _effect.effect(one, other, less_is_slower=less, paired=paired)
            if differ and metric in _counting.OF_COUNTS:
                rows = [_counting.not_comparable(row) for row in rows]
                effect = _counting.not_comparable(effect)
            why = {} if only is None else {"why": only}
            quantiles += [key | row | why for row in rows]
            effects.append(key | effect | why)
        failures.append((group or {"group": "all"}) | _failures.failures(in_a[0], in_b[0]) | why)
        lacking += [group | row for row in _lacking.lacking(in_a[0], in_b[0], JUDGED)]
    left_out = tuple(_left_out(columns, found_a, found_b))
    medians = [row for row in quantiles if row["quantile"] == "p50"]
    return Comparison(
        quantiles=_table(quantiles, [*columns, "metric", "quantile"], _change.COLUMNS),
        effects=_table(effects, [*columns, "metric"], _effect.COLUMNS),
        failures=_table(failures, [*columns] or ["group"], _failures.COLUMNS),
        verdict=verdict(medians, failures, columns, left_out, level, counting, lacking),
        paired=pairs is not None,
        left_out=left_out,
    )


def _table(rows: list[dict[str, Any]], index: list[str], columns: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*index, *columns]).set_index(index)


def _group(columns: Sequence[str], name: Hashable) -> dict[str, Any]:
    values = name if isinstance(name, tuple) and len(columns) > 1 else (name,)
    return dict(zip(columns, values, strict=False))


def _left_out(columns: Sequence[str], a: Iterable[Hashable], b: Iterable[Hashable]) -> Iterable[str]:
    for side, own, others in (("A", a, set(b)), ("B", b, set(a))):
        for name in own:
            if name not in others:
                yield f"{group_words(_group(columns, name))} is only in {side}"


def _by_request(
    streams: pd.DataFrame, gaps: pd.DataFrame, names: "pd.Series[Any] | None" = None
) -> "dict[str, pd.Series[float]]":
    """Return the values of each metric; their index says of which request they are."""
    of_streams, of_gaps = (_requests(table, names) for table in (streams, gaps))
    return {
        metric: pd.Series(
            (gaps if metric in _GAPS else streams)[metric].to_numpy("float64", na_value=np.nan),
            index=of_gaps if metric in _GAPS else of_streams,
        ).dropna()
        for metric in TOOL_METRICS
    }


def _requests(table: pd.DataFrame, names: "pd.Series[Any] | None") -> "pd.Index[Any]":
    """Return a number for each row, that of its request, or the name of its pair."""
    number = table.groupby(EXCHANGE, observed=True, sort=False).ngroup()
    if names is None:
        return pd.Index(number.to_numpy())
    once = table.loc[~number.duplicated().to_numpy(), EXCHANGE]
    keys = pd.MultiIndex.from_frame(once.astype({"cassette": "str"}))
    of_each: pd.Index[Any] = pd.Index(names.reindex(keys).to_numpy()[number.to_numpy()])
    return of_each
