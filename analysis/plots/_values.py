"""The values that figures are of: a metric of `streams`, or the gaps of `events`, group by group.

The invariant: values and percentiles are those of `Recording.summary`, and what has no value is counted
with its reason.
"""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing._bootstrap import Floats
from tokentape.analysis.plots._text import group_name
from tokentape.analysis.summarising._summary import groups

if TYPE_CHECKING:
    from collections.abc import Sequence

GAPS = ("gap_ms", "read_gap_ms")
PERCENTS = (50, 90, 99)
MAX_GROUPS = 8
OTHERS = "others"


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """The values of one group. `rows` has the row of `streams` or `events` that each is of."""

    name: str
    """Plain text."""
    meta: str | None = None
    """The name of the one group that this is: plain text, for `meta` of traces, which is not drawn."""
    numbers: Floats
    rows: pd.DataFrame
    missing: Counter[str]
    """Streams without a value, by reason."""

    @property
    def percentiles(self) -> dict[int, float]:
        """p50, p90 and p99: exact, by linear interpolation. Empty where there is no value."""
        return (
            {percent: float(np.quantile(self.numbers, percent / 100)) for percent in PERCENTS}
            if len(self.numbers)
            else {}
        )


def check_metric(metric: str) -> None:
    """Raise ValueError, with what there is, for what is no metric."""
    if metric not in schema.MEASURES and metric not in GAPS:
        raise ValueError(f"expected a metric ({', '.join((*schema.MEASURES, *GAPS))}), found {metric!r}")


def values_of(recording: Recording, metric: str, by: str | None = None) -> "list[Values]":
    """Return the values of each group, the largest first; beyond eight the rest are together, as `others`.

    Groups without any value are there, too, and say why.
    """
    check_metric(metric)
    found: list[tuple[Hashable, pd.DataFrame, pd.DataFrame]] = list(_groups(recording, by))
    found.sort(key=lambda group: -len(group[1]))
    made = [
        _values(group_name(name), metric, streams, gaps, is_one=by is not None)
        for name, streams, gaps in found[:MAX_GROUPS]
    ]
    rest: Sequence[Any] = found[MAX_GROUPS:]
    if rest:
        streams, gaps = (pd.concat([group[at] for group in rest]) for at in (1, 2))
        made.append(_values(f"{OTHERS} ({len(rest)})", metric, streams, gaps, is_one=False))
    return made


def _groups(recording: Recording, by: str | None) -> Iterator[tuple[Hashable, pd.DataFrame, pd.DataFrame]]:
    if len(recording.streams):
        yield from groups(recording.streams, recording.events, by)


def _values(name: str, metric: str, streams: pd.DataFrame, gaps: pd.DataFrame, *, is_one: bool) -> Values:
    table, why = (
        (gaps, f"{metric.removesuffix('_ms')}_p50_ms_why") if metric in GAPS else (streams, f"{metric}_why")
    )
    known = table[metric].notna()
    rows = table[known]
    reasons = streams.loc[streams[why].notna(), why]
    return Values(
        name=name,
        meta=name if is_one else None,
        numbers=np.asarray(rows[metric], np.float64),
        rows=rows,
        missing=Counter({str(reason): int(n) for reason, n in reasons.value_counts().items() if n}),
    )


def all_missing(found: "list[Values]") -> Counter[str]:
    """Return the streams of all groups that have no value, by reason."""
    return sum((each.missing for each in found), Counter[str]())
