"""The numbers of a view: a few large ones, and all of them in a table, as text.

The invariant: nothing is computed here; every number is the summary's or a count, and beside each stands
how many values it is of, and how many streams have none, and why.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis.report._terms import COUNTS, LABELS, UNITS
from tokentape.analysis.report._text import counts, number, percent
from tokentape.analysis.summarising._summary import PER_TOKEN, mixed_sources
from tokentape.cassette import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokentape.analysis._recording import Recording

PLACES = ("p50", "p90", "p99", "max")
_CARDS = ("ttft_ms", "itl_ms", "gap_ms", "e2e_ms", "tokens_per_s")
_WORST = {"gap_ms": "p99"}
"""Where the middle says little: a typical gap hides the one that everybody noticed."""
COUNTED_AS = {"gap_ms": "gap_p50_ms", "read_gap_ms": "read_gap_p50_ms"}
"""Which column of `streams` says why a stream has none of a metric."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One large number, with its unit, what it is, and of how many."""

    label: str
    value: str
    unit: str
    below: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One metric of one side: n, the percentiles and what is missing."""

    metric: str
    side: str
    cells: tuple[str, ...]


def cards(recording: "Recording") -> list[Card]:
    """Return the numbers of a recording that a reader looks for first."""
    streams, summary = recording.streams, recording.summary()
    if not len(streams):
        return []
    complete, n = int((streams["outcome"] == "complete").sum()), len(streams)
    found = [
        Card(
            label="Complete",
            value=f"{complete / n:.0%}",
            unit="",
            below=f"{complete:,} of {counted(n, 'stream', grouped=True)}",
        )
    ]
    for metric in _CARDS:
        row: Any = summary.loc[metric]
        place = _WORST.get(metric, "p50")
        other = "p50" if place != "p50" else "p90"
        kinds = f"; {told}" if (told := counted_as([streams], metric)) else ""
        below = (
            f"{other} {number(row[other])}; n {row['n']:,}{kinds}" if row["n"] else f"missing: {row['why']}"
        )
        found.append(Card(label=_label(metric), value=number(row[place]), unit=_unit(metric), below=below))
    return found


def cards_of_two(quantiles: pd.DataFrame, streams: "Sequence[pd.DataFrame]") -> list[Card]:
    """Return the same of two recordings that were compared: both values and the change."""
    found = []
    for metric in _CARDS:
        row: Any = quantiles.loc[(metric, _WORST.get(metric, "p50"))]
        is_known = pd.notna(row["low_pct"]) and pd.notna(row["high_pct"])
        interval = f"{percent(row['low_pct'])} to {percent(row['high_pct'])}" if is_known else row["why"]
        kinds = f"; {told}" if (told := counted_as(streams, metric)) else ""
        found.append(
            Card(
                label=_label(metric),
                value=f"{number(row['a'])} \N{RIGHTWARDS ARROW} {number(row['b'])}",
                unit=_unit(metric),
                below=f"{percent(row['change_pct'])} ({interval}){kinds}",
            )
        )
    return found


def counted_as(tables: "Sequence[pd.DataFrame]", metric: str) -> str:
    """Return how the tokens of a metric are known, where it is in several ways: two kinds of number."""
    if metric not in PER_TOKEN:
        return ""
    known = pd.concat([each.loc[each[metric].notna(), "tokens_from"].astype("object") for each in tables])
    return f"tokens of {kinds}" if (kinds := mixed_sources(known)) else ""


def _label(metric: str) -> str:
    place = _WORST.get(metric, "p50")
    return f"{LABELS[metric]}, {'median' if place == 'p50' else place}"


def _unit(metric: str) -> str:
    return UNITS.get(metric, "ms")


def rows(sides: "Sequence[tuple[str, Recording]]") -> list[Row]:
    """Return the table of metrics; `sides` are a name and a recording each."""
    summaries = [(side, recording.streams, recording.summary()) for side, recording in sides]
    return [
        Row(metric=metric, side=side, cells=(*_cells(metric, summary.loc[metric]), missing(streams, metric)))
        for metric in LABELS
        for side, streams, summary in summaries
    ]


def _cells(metric: str, row: Any) -> list[str]:
    return [f"{row['n']:,}", *(number(row[place], is_count=metric in COUNTS) for place in PLACES)]


def missing(streams: pd.DataFrame, metric: str) -> str:
    """Return how many streams have no such number, for which reasons, and which kinds of it are mixed."""
    reasons = counts(streams[f"{COUNTED_AS.get(metric, metric)}_why"])
    told = ", ".join(f"{count:,} {name}" for name, count in reasons) or "0"
    if len(reasons) > 1:
        told = f"{sum(count for _, count in reasons):,}: {told}"
    kinds = counted_as([streams], metric)
    return f"{told}; {kinds}" if kinds else told
