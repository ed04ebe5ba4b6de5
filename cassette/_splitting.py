"""One cassette as several: each exchange in one part, with the section that it belongs to.

A part is a cassette of its own. It has the section records under which it has exchanges, the records of
these in their order and as they were read, and all of a section that is of no one exchange: its notes,
records that this version does not know, and its close record, whose counts are those of the part. A
section without exchanges is in no part.

It takes two passes: what parts there are is known only at the end. In between it holds the part of each
exchange, and no record.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from msgspec.structs import replace

from tokentape.cassette._reader import Entry
from tokentape.cassette._records import (
    Chunk,
    Close,
    End,
    Note,
    Record,
    Request,
    Response,
    Section,
    encode_like,
)


@dataclass(slots=True)
class Counts:
    """What a close record counts."""

    exchanges: int = 0
    chunks: int = 0
    bytes: int = 0


@dataclass(slots=True)
class Part:
    """One of the cassettes to be made. `sections` has its counts in each section that it is of."""

    name: str
    sections: dict[int, Counts] = field(default_factory=dict)

    @property
    def counts(self) -> Counts:
        """Those of all its sections."""
        total = Counts()
        for each in self.sections.values():
            total.exchanges += each.exchanges
            total.chunks += each.chunks
            total.bytes += each.bytes
        return total


class Split:
    """The first pass: feed it all entries with `add`. Then `parts` has the parts, in order of appearance.

    `name_of` gives the name of an exchange's part from its section's index, its number and its request,
    which is None if it was lost.
    """

    def __init__(self, name_of: Callable[[int, int, Request | None], str]) -> None:
        self.parts: list[Part] = []
        self._name_of = name_of
        self._by_name: dict[str, int] = {}
        self._of_exchange: dict[tuple[int, int], int] = {}
        self._section = -1
        self._entries = 0

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        self._entries += 1
        match entry.record:
            case Section():
                self._section += 1
            case Request() as record:
                self._counts(record.exchange, record).exchanges += 1
            case Chunk() as record:
                counts = self._counts(record.exchange, None)
                counts.chunks += 1
                counts.bytes += len(record.data)
            case Response() | End() as record:
                self._counts(record.exchange, None)
            case _:
                pass

    def routed(self, entries: Iterable[Entry], parts: Collection[int]) -> Iterator[tuple[int, bytes]]:
        """Yield the payloads of some parts with the index of the part: the second pass, or one of several.

        `entries` are those of the first pass again, and may meanwhile have become more.
        """
        section = -1
        here: list[int] = []
        for entry in islice(entries, self._entries):
            if isinstance(entry.record, Section):
                section += 1
                here = [index for index in parts if section in self.parts[index].sections]
            if (index := self._of(section, entry.record)) is not None:
                if index in parts:
                    yield index, entry.payload
            elif isinstance(entry.record, Close):
                for index in here:
                    counts = self.parts[index].sections[section]
                    close = replace(
                        entry.record, exchanges=counts.exchanges, chunks=counts.chunks, bytes=counts.bytes
                    )
                    yield index, encode_like(entry.payload, close)
            else:
                yield from ((index, entry.payload) for index in here)

    def _counts(self, number: int, request: Request | None) -> Counts:
        where = (self._section, number)
        index = self._of_exchange.get(where)
        if index is None:
            name = self._name_of(*where, request)
            index = self._of_exchange[where] = self._by_name.setdefault(name, len(self.parts))
            if index == len(self.parts):
                self.parts.append(Part(name))
        return self.parts[index].sections.setdefault(self._section, Counts())

    def _of(self, section: int, record: Record) -> int | None:
        """Return the part that a record belongs to alone."""
        match record:
            case Request() | Response() | Chunk() | End() | Note():
                return None if record.exchange is None else self._of_exchange.get((section, record.exchange))
            case _:
                return None
