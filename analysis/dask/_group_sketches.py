"""Sketches of the gaps of each group: made of parts, merged, and named as all streams together name them.

The guarantee: groups have the names that pandas gives them. A part by itself does not know which model was to
answer where an answer names none (`_grouping.models_by_request`), so such streams are kept apart by what was
requested until the streams of all parts are there.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis.dask._approximate import gaps_for
from tokentape.analysis.dask._sketch import Sketch, merged, sketch_of
from tokentape.analysis.summarising._grouping import models_by_request, names_of
from tokentape.analysis.summarising._summary import groups

if TYPE_CHECKING:
    from tokentape.analysis.summarising._grouping import By

GroupSketches: TypeAlias = dict[Hashable, dict[str, Sketch]]
"""By group and by row of a summary."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A group whose answers name no model. `values` are those of what `_asked` returns."""

    values: tuple[Hashable, ...]


def sketches_of(
    streams: pd.DataFrame, events: pd.DataFrame, by: "By | None", metrics: Sequence[str]
) -> GroupSketches:
    """Return the sketches of a part, under names that other parts give to the same groups."""
    names = names_of(by)
    if "model" not in names:
        return dict(_sketched(streams, events, by, metrics))
    # Gaps of a number that is used twice are those of the first stream that has it, as in `groups`.
    streams = streams[~streams.duplicated(schema.STREAM_KEY)]
    answered = streams["model"].notna()
    found = dict(_sketched(streams[answered], events, names, metrics))
    asked = _asked(names)
    for name, each in _sketched(streams[~answered], events, asked, metrics):
        several: Any = name
        found[Asked(several if len(asked) > 1 else (several,))] = each
    return found


def put_together(parts: Sequence[GroupSketches]) -> GroupSketches:
    """Return the sketches of several parts as those of one."""
    found: dict[Hashable, list[dict[str, Sketch]]] = {}
    for part in parts:
        for name, each in part.items():
            found.setdefault(name, []).append(each)
    return {
        name: {metric: merged(sketches[metric] for sketches in several) for metric in several[0]}
        for name, several in found.items()
    }


def named(sketches: GroupSketches, streams: pd.DataFrame, by: "By | None") -> GroupSketches:
    """Return the sketches of all parts by the names that groups have in the streams of all parts."""
    names = names_of(by)
    answering = models_by_request(streams) if "model" in names else {}
    return put_together([{_name(key, names, answering): each} for key, each in sketches.items()])


def _sketched(
    streams: pd.DataFrame, events: pd.DataFrame, by: "By | None", metrics: Sequence[str]
) -> Iterator[tuple[Hashable, dict[str, Sketch]]]:
    for name, group, gaps in groups(streams, events, by):
        values = {metric: np.array(gaps_for(metric, group, gaps), np.float64) for metric in metrics}
        yield name, {metric: sketch_of(each) for metric, each in values.items()}


def _asked(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names to group by where answers name no model."""
    return tuple(dict.fromkeys("model_requested" if name == "model" else name for name in names))


def _name(key: Hashable, names: Sequence[str], answering: Mapping[str, str]) -> Hashable:
    if not isinstance(key, Asked):
        return key
    values: dict[str, Any] = dict(zip(_asked(names), key.values, strict=True))
    values["model"] = answering.get(values["model_requested"], values["model_requested"])
    return tuple(values[name] for name in names) if len(names) > 1 else values["model"]
