"""Percentiles over many streams: exact, and saying over how much and why what is missing is missing.

A summary has a row for each group (one, named `all`, without a grouping) and always the same columns:
`streams`, one `outcome_...` for each outcome, and for each metric `..._n` (how many values), `_p50`,
`_p90`, `_p99` and `_max` in the metric's unit, and `..._why`: the commonest reason where there is no value.
Gaps are pooled over the events of the group; everything else is one value a stream.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._outcome import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

PERCENTS = (50, 90, 99)
METRICS = {
    "ttft": "_ms",
    "gap": "_ms",
    "gap_uncoalesced": "_ms",
    "read_gap": "_ms",
    "itl": "_ms",
    "e2e": "_ms",
    "output_tokens": "",
    "tokens_per_s": "",
}
"""The metrics of a summary, with the unit that their columns end in."""
_POOLED = ("gap", "gap_uncoalesced", "read_gap")
GROUPINGS = tuple(
    name
    for name, dtype in schema.STREAMS.items()
    if name in ("section", "exchange", "choice", "status")
    or (dtype == schema.CATEGORY and not name.endswith("_why"))
)
"""The columns of `streams` by which a summary can be grouped: names, not measurements."""
_STREAM_KEY = ["cassette", "section", "exchange", "choice"]


def summarise(streams: pd.DataFrame, events: pd.DataFrame, by: str | None = None) -> pd.DataFrame:
    """Return a row for each value of the column `by` of `streams`, or the one row `all`.

    Raises ValueError, with the columns there are, for a column by which streams cannot be grouped.
    """
    if by is None:
        return pd.DataFrame([_row(streams, _gaps(events))], index=pd.Index(["all"], name="group"))
    if by not in GROUPINGS:
        raise ValueError(f"expected a column to group by ({', '.join(GROUPINGS)}), found {by!r}")
    rows: list[dict[str, Any]] = []
    names: list[Hashable] = []
    gaps = _gaps(events)
    keyed = gaps.merge(streams[list(dict.fromkeys([*_STREAM_KEY, by]))], on=_STREAM_KEY, how="left")
    for name, group in streams.groupby(by, dropna=False, observed=True, sort=True):
        pooled = keyed[keyed[by].isna()] if pd.isna(name) else keyed[keyed[by] == name]
        names.append(None if pd.isna(name) else name)
        rows.append(_row(group, pooled))
    empty = None if rows else list(_row(streams, gaps))
    return pd.DataFrame(rows, index=pd.Index(names, name=by, dtype="object"), columns=empty)


def _gaps(events: pd.DataFrame) -> pd.DataFrame:
    """Return the events that have a gap, keyed as streams are."""
    gaps = events.loc[events["gap_ms"].notna(), [*_STREAM_KEY, "gap_ms", "read_gap_ms", "coalesced"]]
    return gaps.astype({"choice": "int64"})


def _row(streams: pd.DataFrame, gaps: pd.DataFrame) -> dict[str, Any]:
    outcomes = streams["outcome"].value_counts()
    row: dict[str, Any] = {"streams": len(streams)}
    row |= {f"outcome_{name}": int(outcomes.get(name, 0)) for name in OUTCOMES}
    for metric, unit in METRICS.items():
        values, reasons = _values(metric, unit, streams, gaps)
        row[f"{metric}_n"] = len(values)
        found = values.quantile([percent / 100 for percent in PERCENTS]).tolist() if len(values) else None
        for place, percent in enumerate(PERCENTS):
            row[f"{metric}_p{percent}{unit}"] = found[place] if found else float("nan")
        row[f"{metric}_max{unit}"] = float(values.max()) if len(values) else float("nan")
        row[f"{metric}_why"] = None if len(values) else _commonest(reasons)
    return row


def _values(
    metric: str, unit: str, streams: pd.DataFrame, gaps: pd.DataFrame
) -> tuple["pd.Series[float]", "pd.Series[Any]"]:
    match metric:
        case "gap":
            return gaps["gap_ms"], streams["gap_p50_ms_why"]
        case "gap_uncoalesced":
            return gaps.loc[~gaps["coalesced"], "gap_ms"], streams["read_gap_p50_ms_why"]
        case "read_gap":
            return gaps["read_gap_ms"].dropna(), streams["read_gap_p50_ms_why"]
        case _:
            column = f"{metric}{unit}"
            return streams[column].dropna().astype("float64"), streams[f"{column}_why"]


def _commonest(reasons: "pd.Series[Any]") -> str:
    counts: Sequence[Any] = reasons.dropna().value_counts().index.tolist()
    return str(counts[0]) if counts else "no-streams"
