"""Parts of cassettes: what is loaded at a time where all of it together would be too much.

The guarantee: the tables of the parts of a cassette, one after the other, are the tables of the cassette, but
for `in_flight`, which is NA: it depends on the requests of all parts, and `_in_flight` counts it from them.

A part is a cassette, or a range of its exchanges in the order of the tables, of so many bytes at most; an
exchange is never divided. To find the ranges, a file that is larger is read once more, without a look into
its events. A part says where its exchanges are, so that any process that can read the file loads it from
there; of a compressed file, what is before has to be decompressed each time.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tokentape import cassette
from tokentape.analysis._recording import Recording
from tokentape.analysis.loading._load import (
    collector_paused,
    is_damaged,
    load_one,
    losses,
    measured_all,
    tables_of,
)
from tokentape.analysis.loading._options import Options
from tokentape.cassette import Key, Places, Stretch, Unreadable, exchanges_between, places

MAX_PART_BYTES = 32 * 1024 * 1024
"""About 100,000 events of 250 bytes."""
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
    """A cassette, or, with a `range`, some of its exchanges. `lost` is what is damaged in the file.

    Only the first part of a file has `lost`, so that it is said once.
    """

    path: str
    range: Range | None = None
    lost: tuple[str, ...] = ()
    stamp: tuple[int, int] = (0, 0)
    """Size and time of change (Unix ns) of the file when it was looked at: another file is another part."""


def parts_of(path: str, max_bytes: int = MAX_PART_BYTES) -> list[Part]:
    """Return the parts of a cassette, at least one, in the order of its exchanges.

    A part has up to `max_bytes` of the decompressed file, or one exchange that is larger. Standard input
    ("-") cannot be divided. Raises as `load` does for a file of which nothing can be used.
    """
    if max_bytes < 1:
        raise ValueError(f"expected parts of at least a byte, found {max_bytes}")
    if path == "-":
        return [Part(path=path)]
    stamp = _stamp(path)
    if stamp[0] * (_MOST_COMPRESSED if path.endswith(".zst") else 1) <= max_bytes:
        return [Part(path=path, stamp=stamp)]
    found = places(path)
    lost = tuple(f"{path}: {damage}" for damage in found.damage)
    parts = [
        Part(path=path, range=each, lost=() if position else lost, stamp=stamp)
        for position, each in enumerate(_ranges(found, max_bytes))
    ]
    return parts or [Part(path=path, stamp=stamp)]


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


def load_part(part: Part, options: Options) -> Recording:
    """Return the tables of a part, without `in_flight`, which is not known of a part.

    Raises `Unreadable` if its exchanges are not where they were when it was found, else as `load` does.
    """
    reading = options.reading()
    with collector_paused():
        if part.range is None:
            found, lost = load_one(part.path, reading)
            return tables_of(found, lost, options.definitions)
        at = part.range
        found = measured_all(_exchanges(part.path, at), part.path, reading, is_damaged=lambda: at.is_damaged)
        return tables_of(found, [*part.lost, *losses(part.path, found)], options.definitions)


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
