"""Percentiles over many streams: exact, and saying over how much and why what is missing is missing.

A summary has a row for each metric and the columns `n` (how many values), `p50`, `p90`, `p99`, `max` and
`why`: the commonest reason where there is no value. The unit is in the metric's name. Where values are made
of tokens that are known in several ways, `why` has these, such as `chunks+usage`: bills and estimates are
never mixed in silence. With a grouping each group has all rows, so that a group, a metric and a column always
name one cell.
Gaps are pooled over the events of the group; everything else is one value a stream.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd

from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.measuring._definitions import named_definitions
from tokentape.analysis.measuring._reason import Reason
from tokentape.analysis.summarising._grouping import By, group_index, grouped, names_of
from tokentape.analysis.summarising._tool_quantiles import gaps_of_counted, quantiles
from tokentape.dialects import OUTCOMES

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

PERCENTS = (50, 90, 99)
METRICS = ("ttft_ms", "gap_ms", "read_gap_ms", "itl_ms", "e2e_ms", "output_tokens", "tokens_per_s")
"""The rows of a summary: columns of `streams` and `events`."""
PER_TOKEN = ("itl_ms", "output_tokens", "tokens_per_s")
"""The rows that depend on how tokens were counted."""
TOOL_METRICS = (*METRICS[:4], "tpot_ms", *METRICS[4:])
"""The same with another tool's definitions, where TPOT is not ITL under another name."""
COLUMNS = ("n", *(f"p{percent}" for percent in PERCENTS), "max", "why")
_NO_STREAMS: Reason = "no-streams"

Group: TypeAlias = "tuple[Hashable, pd.DataFrame, pd.DataFrame]"
"""A group's name, its streams, and its events that have a gap. By one thing the name is its value (None where
that is not known), by several it is a tuple of these."""


def groups(streams: pd.DataFrame, events: pd.DataFrame, by: By | None = None) -> Iterator[Group]:
    """Yield the groups of streams in order, or everything as the one group `all`.

    Raises ValueError, with the columns there are, for a column by which streams cannot be grouped.
    """
    names = names_of(by)
    gaps = events.loc[events["gap_ms"].notna(), [*STREAM_KEY, "gap_ms", "read_gap_ms"]]
    if not names:
        yield "all", streams, gaps
        return
    streams = streams.reset_index(drop=True)
    found = list(grouped(streams, names))
    number = pd.Series(-1, index=streams.index)
    for position, (_, group) in enumerate(found):
        number.loc[group.index] = position
    # A number that is used twice has no gaps, but two rows here, which a merge of many to one refuses.
    keys = streams[STREAM_KEY].assign(number=number)[~streams.duplicated(STREAM_KEY)]
    keyed = gaps.astype({"choice": "int64"}).merge(keys, on=STREAM_KEY, how="left", validate="m:1")
    rows = keyed.groupby("number").indices
    for position, (name, group) in enumerate(found):
        yield name, group, gaps.iloc[rows.get(position, [])]


def metrics_of(
    streams: pd.DataFrame, gaps: pd.DataFrame, definitions: str | None = None
) -> dict[str, dict[str, Any]]:
    """Return the rows of a group's summary by metric; what is missing is None.

    With another tool's `definitions` there is a row for its TPOT, too, and many streams are put together as
    that tool does.
    """
    tool = named_definitions(definitions)
    found: dict[str, dict[str, Any]] = {}
    for metric in METRICS if tool is None else TOOL_METRICS:
        values, reasons = _values(metric, streams, gaps)
        if tool is not None and metric == "itl_ms" and tool.pools_gaps:
            values = gaps_of_counted(streams, gaps)
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row["n"] = len(values)
        if len(values):
            if tool is None:
                points = values.quantile([percent / 100 for percent in PERCENTS]).tolist()
            else:
                points = quantiles(tool, metric, values, streams, PERCENTS)
            row |= {f"p{percent}": value for percent, value in zip(PERCENTS, points, strict=True)}
            row["max"] = float(values.max())
            if metric in PER_TOKEN:
                row["why"] = mixed_sources(streams.loc[streams[metric].notna().to_numpy(), "tokens_from"])
        else:
            row["why"] = _commonest(reasons)
        found[metric] = row
    return found


def outcomes_of(streams: pd.DataFrame) -> dict[str, int]:
    """Return how many streams had each outcome, also those that none had."""
    counts = streams["outcome"].value_counts()
    return {name: int(counts.get(name, 0)) for name in OUTCOMES}


def summarise(
    streams: pd.DataFrame, events: pd.DataFrame, by: By | None = None, definitions: str | None = None
) -> pd.DataFrame:
    """Return the metrics of each group, as at the head of this module."""
    return _table(
        [(name, metrics_of(group, gaps, definitions)) for name, group, gaps in groups(streams, events, by)],
        by,
        "metric",
        {"n": "int64", **dict.fromkeys(COLUMNS[1:-1], "float64"), "why": "object"},
    )


def count_outcomes(streams: pd.DataFrame, events: pd.DataFrame, by: By | None = None) -> pd.DataFrame:
    """Return how many streams of each group had each outcome."""
    rows = [
        (name, {outcome: {"streams": count} for outcome, count in outcomes_of(group).items()})
        for name, group, _ in groups(streams, events, by)
    ]
    return _table(rows, by, "outcome", {"streams": "int64"})


def _table(
    rows: "Sequence[tuple[Hashable, dict[str, dict[str, Any]]]]",
    by: By | None,
    inner: str,
    types: dict[str, str],
) -> pd.DataFrame:
    """Return a row for each inner name of each group; the group is the outer levels of the index, if any."""
    names = [name for _, group in rows for name in group]
    index: pd.Index[Any] = pd.Index(names, name=inner)
    if by is not None and names_of(by):
        outer = group_index([name for name, group in rows for _ in group], by)
        levels = [outer.get_level_values(level) for level in range(outer.nlevels)]
        index = pd.MultiIndex.from_arrays([*levels, index], names=[*names_of(by), inner])
    cells = [row for _, group in rows for row in group.values()]
    return pd.DataFrame(
        {column: pd.Series([row[column] for row in cells], dtype=dtype) for column, dtype in types.items()}
    ).set_axis(index)


def _values(
    metric: str, streams: pd.DataFrame, gaps: pd.DataFrame
) -> tuple["pd.Series[float]", "pd.Series[Any]"]:
    match metric:
        case "gap_ms" | "read_gap_ms":
            return gaps[metric].dropna(), streams[f"{metric.removesuffix('_ms')}_p50_ms_why"]
        case _:
            return streams[metric].dropna().astype("float64"), streams[f"{metric}_why"]


def mixed_sources(tokens_from: "pd.Series[Any]") -> str | None:
    """Return how tokens are known if it is in several ways, such as `chunks+usage`; None if it is in one."""
    found = sorted(str(name) for name in tokens_from.dropna().unique())
    return "+".join(found) if len(found) > 1 else None


def _commonest(reasons: "pd.Series[Any]") -> str:
    counts: Sequence[Any] = reasons.dropna().value_counts().index.tolist()
    return str(counts[0]) if counts else _NO_STREAMS
