"""What of a part comes to one place: a row for each request and stream, and gaps, but no text and no reads.

The guarantee: as long as there are no more gaps than `exact_up_to`, all of them come, and what is computed
from them is what pandas computes. From then on their counts come (`_sketch`), group by group, and memory no
longer grows with them. Which of the two it is depends on the cassettes and on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandas.api.types import union_categoricals

from tokentape.analysis import _schema as schema
from tokentape.analysis._frame import empty
from tokentape.analysis._recording import Recording, with_in_flight
from tokentape.analysis.dask._approximate import ApproximateRecording, sketched
from tokentape.analysis.dask._group_sketches import GroupSketches, named, put_together, sketches_of
from tokentape.analysis.loading._parquet import TABLES

if TYPE_CHECKING:
    from tokentape.analysis.summarising._grouping import By

OF_GAPS = {
    name: schema.EVENTS[name]
    for name in (*schema.EXCHANGE_KEY, "choice", "token_event", "t_ms", "gap_ms", "read_gap_ms")
}
"""The columns of events that come."""


@dataclass(slots=True, kw_only=True)
class Condensed:
    """Tables of some parts, in order; `events` has none where the gaps of any part became `sketches`."""

    exchanges: pd.DataFrame
    streams: pd.DataFrame
    events: pd.DataFrame
    reads: pd.DataFrame
    lost: list[str]
    sketches: GroupSketches = field(default_factory=dict)


def condensed(recording: Recording) -> Condensed:
    """Return what is kept of a part: events with a gap, and of the reads the last of each exchange.

    Of a number that a cassette made by hand uses twice it is the last of both, as where both are looked at.
    """
    events = recording.events.loc[recording.events["gap_ms"].notna(), list(OF_GAPS)]
    events = events.reset_index(drop=True)
    return Condensed(
        exchanges=recording.exchanges,
        streams=recording.streams,
        events=events,
        reads=_last(recording.reads),
        lost=list(recording.lost),
    )


def _last(reads: pd.DataFrame) -> pd.DataFrame:
    by_time = reads.sort_values("t_ms", kind="stable", na_position="first")
    return by_time.drop_duplicates(schema.EXCHANGE_KEY, keep="last").sort_index()


def together(
    parts: Sequence[Condensed], by: "By | None", exact_up_to: int | None, definitions: str | None
) -> Condensed:
    """Return several as one, with sketches if there are more gaps than `exact_up_to` or any has sketches."""
    gaps = sum(len(part.events) for part in parts)
    whole = Condensed(
        exchanges=joined([part.exchanges for part in parts], schema.EXCHANGES),
        streams=joined([part.streams for part in parts], schema.STREAMS),
        events=joined([part.events for part in parts], OF_GAPS),
        reads=joined([part.reads for part in parts], schema.READS),
        lost=[line for part in parts for line in part.lost],
    )
    if exact_up_to is not None and (gaps > exact_up_to or any(part.sketches for part in parts)):
        whole.sketches = put_together(
            [
                part.sketches or sketches_of(part.streams, part.events, by, sketched(definitions))
                for part in parts
            ]
        )
        whole.events = empty(OF_GAPS)
    return whole


def recording_of(found: Condensed, definitions: str | None, by: "By | None") -> Recording:
    """Return a recording that pandas computes from, where it can."""
    tables: dict[str, Any] = {
        **{name: getattr(found, name) for name in TABLES},
        "lost": tuple(found.lost),
        "definitions": definitions,
    }
    made = (
        ApproximateRecording(**tables, by=by, gaps=named(found.sketches, found.streams, by))
        if found.sketches
        else Recording(**tables)
    )
    return with_in_flight(made)


def joined(tables: Sequence[pd.DataFrame], types: dict[str, str]) -> pd.DataFrame:
    """Return tables of these columns one after the other, as one that was made of all rows at once."""
    return pd.DataFrame({name: _joined([table[name] for table in tables], types[name]) for name in types})


def _joined(columns: "list[pd.Series[Any]]", dtype: str) -> "pd.Series[Any]":
    if dtype == schema.CATEGORY:
        return pd.Series(union_categoricals(columns, sort_categories=True))
    return pd.concat(columns, ignore_index=True)
