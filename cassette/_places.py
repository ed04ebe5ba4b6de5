"""Where each exchange of a cassette is, and reading some of them without the others.

The invariant: exchanges that are read from their places are those that reading the whole file gives, also
where sections, exchanges or damage lie in between. What is between them is read over, and not kept.

`places` goes through the file once and keeps five integers for an exchange and none of its bytes.
"""

import builtins
import io
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike, fspath
from typing import TYPE_CHECKING, BinaryIO, TypeAlias

from tokentape.cassette._errors import Unreadable
from tokentape.cassette._exchanges import Exchange, exchanges
from tokentape.cassette._framing import MAGIC, Damage
from tokentape.cassette._lost_sections import LostSections
from tokentape.cassette._reader import ZSTD_MAGIC, Reader, Source
from tokentape.cassette._reader import open as open_cassette
from tokentape.cassette._records import Chunk, End, Record, Section

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_BLOCK_BYTES = 1 << 20
_AROUND_BYTES = 28
"""What a frame takes around the bytes of a piece, about."""

Stretch: TypeAlias = tuple[int, int]
"""From a byte of the decompressed cassette to another, which is not in it."""
Key: TypeAlias = tuple[int, int]
"""An exchange: the index of its section, and its number in that."""


@dataclass(frozen=True, slots=True)
class Places:
    """The exchanges of a cassette, as columns of one length: their keys, and where their records are.

    `start` is where the first record of an exchange begins, `end` where the last one ends, in bytes of the
    decompressed cassette; `size` is the bytes of its own records, about. `sections` has where the record
    of each section is, None for one that was lost.
    """

    section: "array[int]" = field(default_factory=lambda: array("q"))
    number: "array[int]" = field(default_factory=lambda: array("q"))
    start: "array[int]" = field(default_factory=lambda: array("q"))
    end: "array[int]" = field(default_factory=lambda: array("q"))
    size: "array[int]" = field(default_factory=lambda: array("q"))
    sections: list[Stretch | None] = field(default_factory=list)
    damage: list[Damage] = field(default_factory=list)

    def _add(self, number: int, place: list[int]) -> None:
        self.section.append(len(self.sections) - 1)
        self.number.append(number)
        for column, value in zip((self.start, self.end, self.size), place, strict=True):
            column.append(value)


def places(path: str | PathLike[str]) -> Places:
    """Return where the exchanges of a cassette are, read leniently.

    Raises as `open` does, and `UnsupportedVersion`.
    """
    found = Places()
    under_way: dict[int, list[int]] = {}
    lost = LostSections()
    with open_cassette(path, lenient=True) as tape:
        for record in tape:
            if (
                type(record) is Chunk
                and not lost.closed
                and (place := under_way.get(record.exchange)) is not None
            ):
                place[1] = tape.end_offset  # nearly all records are such
                place[2] += len(record.data) + _AROUND_BYTES
                continue
            is_section = isinstance(record, Section)
            if lost.before(record) or is_section:
                _close(under_way, found)
                found.sections.append((tape.offset, tape.end_offset) if is_section else None)
            number = getattr(record, "exchange", None)
            if number is None:
                continue
            start, end = tape.offset, tape.end_offset
            place = under_way.setdefault(number, [start, end, 0])
            place[1] = end
            place[2] += end - start
            if isinstance(record, End):
                found._add(number, under_way.pop(number))  # noqa: SLF001  (a function of this module)
        _close(under_way, found)
        found.damage.extend(tape.damage)
    return found


def _close(under_way: dict[int, list[int]], found: Places) -> None:
    for number in sorted(under_way):
        found._add(number, under_way[number])  # noqa: SLF001
    under_way.clear()


def exchanges_between(
    path: str | PathLike[str], first: Key, last: Key, *, section: Stretch | None, stretch: Stretch
) -> Iterator[Exchange]:
    """Yield the exchanges from `first` to `last`, in the order in which `exchanges` of the whole has them.

    All their records lie in `stretch`, which begins with one of them; `section` is where the record of the
    section of `first` is. Both are what `places` found. Raises `Unreadable` if the file cannot be read.
    """
    name = fspath(path)
    stretches = [stretch] if section is None else [section, stretch]
    try:
        with builtins.open(name, "rb") as file:
            stream = io.BufferedReader(_Stretched(_blocks(file, name, stretches)), _BLOCK_BYTES)
            for exchange in exchanges(_of(Reader(stream, name=name, lenient=True), first, last)):
                exchange.section_index += first[0]
                if first <= (exchange.section_index, exchange.number) <= last:
                    yield exchange
    except OSError as error:
        raise Unreadable(f"{name}: expected a readable cassette: {error.strerror}") from None


def _of(records: Iterable[Record], first: Key, last: Key) -> Iterator[Record]:
    """Leave out what belongs to other exchanges, except where it tells that a section begins."""
    lost = LostSections()
    section = first[0] - 1
    for record in records:
        if type(record) is not Chunk or lost.closed or section < first[0]:
            if lost.before(record) or isinstance(record, Section):
                section += 1
                yield record
                continue
            if getattr(record, "exchange", None) is None:
                yield record
                continue
        if first <= (section, record.exchange) <= last:  # type: ignore[union-attr]  # others have none
            yield record


class _Stretched(io.RawIOBase):
    """Blocks of bytes as a file."""

    def __init__(self, blocks: Iterator[bytes]) -> None:
        self._blocks = blocks
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        into = memoryview(buffer).cast("B")
        size = min(len(into), len(self._rest))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _blocks(file: BinaryIO, name: str, stretches: list[Stretch]) -> Iterator[bytes]:
    """Yield a cassette that has these stretches of another, which are in order, one after the other."""
    yield MAGIC
    if file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC:
        file.seek(0)
        source = Source(file, name)
        yield from _cut_out(iter(lambda: source.read(_BLOCK_BYTES), b""), stretches)
        return
    for start, end in stretches:
        at = file.seek(start)
        while at < end and (block := file.read(min(end - at, _BLOCK_BYTES))):
            at += len(block)
            yield block


def _cut_out(blocks: Iterator[bytes], stretches: list[Stretch]) -> Iterator[bytes]:
    at, block = 0, b""
    for start, end in stretches:
        while True:
            if wanted := block[max(0, start - at) : max(0, end - at)]:
                yield wanted
            if at + len(block) >= end:
                break
            at += len(block)
            block = next(blocks, b"")
            if not block:
                return
