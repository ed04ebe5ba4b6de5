"""What of a part comes to one place: a row for each request and stream, and gaps, but no text and no reads.

The guarantee: as long as there are no more gaps than `exact_up_to`, all of them come, and what is computed
from them is what pandas computes. From then on their counts come (`_sketch`), group by group, and memory no
longer grows with them. Which of the two it is depends on the cassettes and on nothing else.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
from pandas.api.types import union_categoricals

from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording
from tokentape.analysis._tables import empty
from tokentape.analysis.dask._approximate import GAPS, ApproximateRecording
from tokentape.analysis.dask._sketch import Sketch, merged, sketch_of
from tokentape.analysis.loading._parquet import TABLES
from tokentape.analysis.summarising._grouping import models_by_request, names_of
from tokentape.analysis.summarising._in_flight import with_in_flight
from tokentape.analysis.summarising._summary import groups

if TYPE_CHECKING:
    from tokentape.analysis.summarising._grouping import By

_KEY = list(schema.KEYS)
_OF_GAPS = {
    name: schema.EVENTS[name] for name in (*_KEY, "choice", "token_event", "t_ms", "gap_ms", "read_gap_ms")
}


@dataclass(slots=True, kw_only=True)
class Condensed:
    """Tables of some parts, in order; `events` has none where the gaps of any part became `sketches`."""

    exchanges: pd.DataFrame
    streams: pd.DataFrame
    events: pd.DataFrame
    reads: pd.DataFrame
    lost: list[str]
    sketches: dict[Hashable, dict[str, Sketch]] = field(default_factory=dict)


def condensed(recording: Recording) -> Condensed:
    """Return what is kept of a part: events with a gap, and of the reads the last of each exchange."""
    events = recording.events.loc[recording.events["gap_ms"].notna(), list(_OF_GAPS)]
    events = events.reset_index(drop=True)
    return Condensed(
        exchanges=recording.exchanges,
        streams=recording.streams,
        events=events,
        reads=recording.reads.drop_duplicates(_KEY, keep="last"),
        lost=list(recording.lost),
    )


def together(parts: Sequence[Condensed], by: "By | None", exact_up_to: int | None) -> Condensed:
    """Return several as one, with sketches if there are more gaps than `exact_up_to` or any has sketches."""
    gaps = sum(len(part.events) for part in parts)
    whole = Condensed(
        exchanges=joined([part.exchanges for part in parts], schema.EXCHANGES),
        streams=joined([part.streams for part in parts], schema.STREAMS),
        events=joined([part.events for part in parts], _OF_GAPS),
        reads=joined([part.reads for part in parts], schema.READS),
        lost=[line for part in parts for line in part.lost],
    )
    if exact_up_to is not None and (gaps > exact_up_to or any(part.sketches for part in parts)):
        if unknown := {"in_flight", "concurrency"} & set(names_of(by)):
            raise ValueError(
                f"expected at most {exact_up_to} gaps to group by {unknown.pop()}, which no part knows by "
                "itself, found more; choose a higher exact_up_to"
            )
        found: dict[Hashable, list[dict[str, Sketch]]] = {}
        for part in parts:
            for name, each in (part.sketches or _sketches(part, by)).items():
                found.setdefault(name, []).append(each)
        whole.sketches = _merged(found)
        whole.events = empty(_OF_GAPS)
    return whole


@dataclass(frozen=True, slots=True)
class Asked:
    """A group of which only all parts together know the name: its answers name no model.

    `name` is that of the group by what `_asked` returns.
    """

    name: tuple[Hashable, ...]


def _sketches(part: Condensed, by: "By | None") -> dict[Hashable, dict[str, Sketch]]:
    names = names_of(by)
    if "model" not in names:
        return dict(_sketched(part.streams, part.events, by))
    # Gaps of a number that is used twice are those of the first stream that has it, as in `groups`.
    streams = part.streams[~part.streams.duplicated([*_KEY, "choice"])]
    answered = streams["model"].notna()
    found = dict(_sketched(streams[answered], part.events, names))
    for name, each in _sketched(streams[~answered], part.events, _asked(names)):
        several: Any = name
        found[Asked(several if len(_asked(names)) > 1 else (several,))] = each
    return found


def _sketched(
    streams: pd.DataFrame, events: pd.DataFrame, by: "By | None"
) -> Iterator[tuple[Hashable, dict[str, Sketch]]]:
    for name, _, gaps in groups(streams, events, by):
        yield name, {metric: sketch_of(gaps[metric].dropna().to_numpy("float64")) for metric in GAPS}


def _asked(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names to group by where answers name no model."""
    return tuple(dict.fromkeys("model_requested" if name == "model" else name for name in names))


def _named(
    sketches: Mapping[Hashable, dict[str, Sketch]], streams: pd.DataFrame, by: "By | None"
) -> dict[Hashable, dict[str, Sketch]]:
    """Return the sketches by the names that the groups have in all streams."""
    names = names_of(by)
    answering = models_by_request(streams) if "model" in names else {}
    found: dict[Hashable, list[dict[str, Sketch]]] = {}
    for key, each in sketches.items():
        name = key
        if isinstance(key, Asked):
            values: dict[str, Any] = dict(zip(_asked(names), key.name, strict=True))
            asked = values["model_requested"]
            values["model"] = answering.get(asked, asked)
            name = tuple(values[one] for one in names) if len(names) > 1 else values["model"]
        found.setdefault(name, []).append(each)
    return _merged(found)


def _merged(found: Mapping[Hashable, list[dict[str, Sketch]]]) -> dict[Hashable, dict[str, Sketch]]:
    return {
        name: {metric: merged(sketch[metric] for sketch in each) for metric in GAPS}
        for name, each in found.items()
    }


def recording_of(found: Condensed, definitions: str | None, by: "By | None") -> Recording:
    """Return a recording that pandas computes from, where it can."""
    tables: dict[str, Any] = {
        **{name: getattr(found, name) for name in TABLES},
        "lost": tuple(found.lost),
        "definitions": definitions,
    }
    if not found.sketches:
        return with_in_flight(Recording(**tables))
    sketches = _named(found.sketches, found.streams, by)
    return with_in_flight(ApproximateRecording(**tables, by=by, gaps=sketches))


def joined(tables: Sequence[pd.DataFrame], types: dict[str, str]) -> pd.DataFrame:
    """Return tables of these columns one after the other, as one that was made of all rows at once."""
    return pd.DataFrame({name: _joined([table[name] for table in tables], types[name]) for name in types})


def _joined(columns: "list[pd.Series[Any]]", dtype: str) -> "pd.Series[Any]":
    if dtype == schema.CATEGORY:
        return pd.Series(union_categoricals(columns, sort_categories=True))
    return pd.concat(columns, ignore_index=True)
