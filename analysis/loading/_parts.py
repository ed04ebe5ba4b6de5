"""Parts of cassettes: what is loaded at a time where all of it together would be too much.

The guarantee: the tables of the parts of a cassette, one after the other, are the tables of the cassette, but
for `in_flight`, which is NA: it depends on the requests of all parts, and `_in_flight` counts it from them.

A part is a cassette, or a range of its exchanges in the order of the tables, of so many bytes at most; an
exchange is never divided. To find the ranges, a file that is larger is read once more, without a look into
its events. A part says where its exchanges are, so that any process that can read the file loads it from
there; of a compressed file, what is before has to be decompressed each time. Small cassettes are read several
at a time: `gathered`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tokentape import cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording
from tokentape.analysis.loading._load import (
    collector_paused,
    is_damaged,
    load_one,
    losses,
    measured_all,
    table_of,
    tables_of,
)
from tokentape.analysis.loading._options import Options
from tokentape.analysis.measuring._exchange import MeasuredExchange
from tokentape.cassette import Key, Places, Stretch, Unreadable, exchanges_between, places

if TYPE_CHECKING:
    import pandas as pd

MAX_PART_BYTES = 32 * 1024 * 1024
"""About 100,000 events of 250 bytes."""
GATHER_BYTES = 8 * 1024 * 1024
"""Cassettes of so many bytes in all are read together: a tenth of a second, several times a task's cost."""
_LEAST_BYTES = 16 * 1024
"""What a file counts as at least: to open it takes as long as to read so much."""
_MOST_COMPRESSED = 16
"""A compressed file is taken to hold up to so many times its size, to say whether it is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The exchanges from `first` to `last` (section, number), and where in the file they are."""

    first: Key
    last: Key
    section: Stretch | None
    stretch: Stretch
    exchanges: int
    is_damaged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A cassette, or, with a `range`, some of its exchanges. `lost` is what is known to be lost so far.

    Only the first part of a file has what is damaged there, so that it is said once.
    """

    path: str
    range: Range | None = None
    lost: tuple[str, ...] = ()
    stamp: tuple[int, int] = (0, 0)
    """Size and time of change (Unix ns) of the file when it was looked at: another file is another part."""


def whole(path: str, max_bytes: int) -> Part | None:
    """Return the one part of a cassette, if its size says that it is no more, without a look inside.

    Raises `Unreadable` for a file that is not there.
    """
    if path == "-":
        return Part(path=path)
    part = Part(path=path, stamp=_stamp(path))
    return part if _most_bytes(part) <= max_bytes else None


def parts_of(path: str, max_bytes: int = MAX_PART_BYTES) -> list[Part]:
    """Return the parts of a cassette, at least one, in the order of its exchanges.

    A part has up to `max_bytes` of the decompressed file, or one exchange that is larger. Standard input
    ("-") cannot be divided. Raises as `load` does for a file of which nothing can be used.
    """
    if max_bytes < 1:
        raise ValueError(f"expected parts of at least a byte, found {max_bytes}")
    one = whole(path, max_bytes)
    if one is not None:
        return [one]
    stamp = _stamp(path)
    found = places(path)
    lost = tuple(f"{path}: {damage}" for damage in found.damage)
    parts = [
        Part(path=path, range=each, lost=() if position else lost, stamp=stamp)
        for position, each in enumerate(_ranges(found, max_bytes))
    ]
    return parts or [Part(path=path, stamp=stamp)]


def gathered(parts: Iterable[Part], max_bytes: int) -> list[tuple[Part, ...]]:
    """Return parts in their order, whole cassettes together as long as they are not more than `max_bytes`.

    What is not a whole cassette, and standard input, of which the size is not known, is by itself. Of no
    parts there is one empty tuple: its tables are empty, and those who write or join tables need one.
    """
    found: list[list[Part]] = []
    room = 0
    for part in parts:
        is_alone = part.range is not None or part.path == "-"
        size = max(_most_bytes(part), _LEAST_BYTES)
        if found and not is_alone and size <= room:
            found[-1].append(part)
            room -= size
        else:
            found.append([part])
            room = 0 if is_alone else max_bytes - size
    return [tuple(each) for each in found] or [()]


def _most_bytes(part: Part) -> int:
    return part.stamp[0] * (_MOST_COMPRESSED if part.path.endswith(".zst") else 1)


def _stamp(path: str) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError as error:
        raise Unreadable(f"{path}: expected a readable cassette: {error.strerror}") from None
    return found.st_size, found.st_mtime_ns


def _ranges(found: Places, max_bytes: int) -> Iterator[Range]:
    columns = (found.section, found.number, found.start, found.end, found.size)
    table = np.stack([np.frombuffer(column, np.int64) for column in columns])
    table = table[:, np.lexsort((table[1], table[0]))]
    # A cassette made by hand may use a number twice: such exchanges stay together.
    is_new = (np.diff(table[:2], prepend=-1) != 0).any(axis=0)
    starts = np.flatnonzero(is_new)
    sizes = np.add.reduceat(table[4], starts) if len(starts) else starts
    damaged = is_damaged(found.damage)
    for begin, end in pairwise(_cuts(starts.tolist(), sizes.tolist(), table.shape[1], max_bytes)):
        part = table[:, begin:end]
        first, last = ((int(part[0, at]), int(part[1, at])) for at in (0, -1))
        yield Range(
            first=first,
            last=last,
            section=found.sections[first[0]],
            stretch=(int(part[2].min()), int(part[3].max())),
            exchanges=end - begin,
            is_damaged=damaged,
        )


def _cuts(starts: list[int], sizes: list[int], end: int, max_bytes: int) -> Iterator[int]:
    """Yield where parts begin, and the end."""
    held = 0
    for start, size in zip(starts, sizes, strict=True):
        if not start or held + size > max_bytes:
            yield start
            held = 0
        held += size
    yield end


def load_parts(
    parts: Sequence[Part], options: Options, events: Mapping[str, str] = schema.EVENTS
) -> Recording:
    """Return the tables of parts, without `in_flight`, which is not known of parts.

    That of events has the columns of `events`. Raises `Unreadable` if exchanges are not where they were when
    a part was found, else as `load` does.
    """
    with collector_paused():
        found, lost = _measured(parts, options)
        return tables_of(found, lost, options.definitions, events)


def table_of_parts(
    name: str, parts: Sequence[Part], options: Options, types: Mapping[str, str]
) -> "pd.DataFrame":
    """Return one of the tables that `load_parts` returns, with these columns and none of the others' cost."""
    with collector_paused():
        found, _ = _measured(parts, options)
        return table_of(name, found, types)


def _measured(parts: Sequence[Part], options: Options) -> tuple[list[MeasuredExchange], list[str]]:
    reading = options.reading()
    exchanges: list[MeasuredExchange] = []
    lost: list[str] = []
    for part in parts:
        if part.range is None:
            found, missing = load_one(part.path, reading)
            lost += [*part.lost, *missing]
        else:
            at = part.range
            found = measured_all(
                _exchanges(part.path, at), part.path, reading, is_damaged=partial(bool, at.is_damaged)
            )
            lost += [*part.lost, *losses(part.path, found)]
        exchanges += found
    return exchanges, lost


def _exchanges(path: str, at: Range) -> Iterator[cassette.Exchange]:
    count = 0
    for exchange in exchanges_between(path, at.first, at.last, section=at.section, stretch=at.stretch):
        count += 1
        yield exchange
    if count != at.exchanges:
        raise Unreadable(
            f"{path}: expected {cassette.counted(at.exchanges, 'exchange')} from byte {at.stretch[0]} on, "
            f"found {count}: the file is not the one that was there before; load it again"
        )
