"""The views of a page: everything, and one for each value that a click can choose.

The invariant: a view is a whole `Recording` of some streams, so that its numbers and plots are made by the
same code as those of everything.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY, STREAM_KEY
from tokentape.analysis.report._text import counts
from tokentape.analysis.summarising._grouping import with_grouping

if TYPE_CHECKING:
    from tokentape.analysis._recording import Recording

Mask: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"
FACETS = ("model", "outcome", "route")
MOST_VALUES = 8
"""Of one facet; of others it is said how many there are."""
NO_VALUE = "(none)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One value of a facet: how many streams have it, and the number of its view, if it has one."""

    name: str
    streams: int
    view: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facet:
    """A column by which the page can be filtered. `more` counts the values that are not listed."""

    name: str
    options: tuple[Value, ...]
    more: int


def facets_of(tables: Sequence[pd.DataFrame], by: Sequence[str]) -> tuple[Facet, ...]:
    """Return what the streams of all tables can be filtered by, the values that most streams have first.

    Each value has a view of its own, from 1 on, unless it is the only one: 0 is everything.
    """
    names = dict.fromkeys([*by, *FACETS, "cassette"])
    found = []
    view = 0
    for name in names:
        every = counts(pd.concat([_values(table, name) for table in tables], ignore_index=True))
        if name == "cassette" and name not in by and len(every) <= max(1, len(tables)):
            continue
        values = []
        for value, streams in every[:MOST_VALUES]:
            if len(every) > 1:
                view += 1
            values.append(Value(name=value, streams=streams, view=view if len(every) > 1 else None))
        found.append(Facet(name=name, options=tuple(values), more=max(0, len(every) - MOST_VALUES)))
    return tuple(found)


def views_of(streams: pd.DataFrame, facets: Sequence[Facet]) -> "list[Mask]":
    """Return which streams each view has, from view 0, which has all."""
    masks = [np.ones(len(streams), bool)]
    for facet in facets:
        names = _values(streams, facet.name)
        masks += [(names == value.name).to_numpy(bool) for value in facet.options if value.view is not None]
    return masks


def _values(streams: pd.DataFrame, name: str) -> "pd.Series[str]":
    found = with_grouping(streams, name)[name]
    return found.astype("object").where(found.notna(), NO_VALUE).astype("str")


class Parts:
    """Cuts recordings of some streams out of one; what it looks up for that, it looks up once."""

    def __init__(self, recording: "Recording") -> None:
        self._recording = recording
        streams, tables = recording.streams, (recording.exchanges, recording.events, recording.reads)
        self._exchange_of = _numbered([streams, *tables], EXCHANGE_KEY)
        self._stream_of = _numbered([streams, recording.events], STREAM_KEY)

    def of(self, mask: Mask) -> "Recording":
        """Return the recording of the streams in the mask, with their exchanges, events and reads."""
        if mask.all():
            return self._recording
        whole = self._recording
        of_streams, of_exchanges, of_events, of_reads = self._exchange_of
        kept = np.zeros(max((int(each.max(initial=-1)) for each in self._exchange_of), default=-1) + 1, bool)
        kept[of_streams[mask]] = True
        ours, events_stream = self._stream_of
        chosen = np.zeros(max(int(ours.max(initial=-1)), int(events_stream.max(initial=-1))) + 1, bool)
        chosen[ours[mask]] = True
        # An event without a choice is of all choices of its exchange.
        events = kept[of_events] & (chosen[events_stream] | whole.events["choice"].isna().to_numpy(bool))
        return replace(
            whole,
            exchanges=whole.exchanges[kept[of_exchanges]].reset_index(drop=True),
            streams=whole.streams[mask].reset_index(drop=True),
            events=whole.events[events].reset_index(drop=True),
            reads=whole.reads[kept[of_reads]].reset_index(drop=True),
        )


def _numbered(tables: Sequence[pd.DataFrame], keys: list[str]) -> "list[np.ndarray[Any, np.dtype[np.int64]]]":
    """Return a number for each row of each table, equal where the keys are."""
    plain = [
        table[keys].assign(cassette=table["cassette"].astype("str"), **_filled(table, keys))
        for table in tables
    ]
    numbers = pd.concat(plain, ignore_index=True).groupby(keys, sort=False, observed=True).ngroup().to_numpy()
    ends = np.cumsum([len(table) for table in tables])
    return [part.astype(np.int64) for part in np.split(numbers, ends[:-1])]


def _filled(table: pd.DataFrame, keys: list[str]) -> dict[str, Any]:
    return {"choice": table["choice"].fillna(-1).astype("int64")} if "choice" in keys else {}


def each_value(facets: Sequence[Facet]) -> Iterator[tuple[Facet, Value]]:
    """Yield the values that have a view, in the order of the views."""
    for facet in facets:
        for value in facet.options:
            if value.view is not None:
                yield facet, value
