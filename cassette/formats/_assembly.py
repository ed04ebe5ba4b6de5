"""From imported exchanges to the records of a cassette, in the order in which a recorder writes them.

A recorder writes a record when it happens, so the records of a section stand in the order of their times,
and those of one exchange in the order request, response, chunks, end. Exchanges that tokentape exported
go back into their sections under their numbers. Strangers' are a section of their own, the last: numbered
in the order of their times, which count from the first.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TypeAlias

from msgspec.structs import replace

from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import (
    FORMAT_VERSION,
    Chunk,
    Close,
    End,
    Known,
    Note,
    Request,
    Response,
    Section,
    encode,
)
from tokentape.cassette.formats._beside import SectionEnd

Redact: TypeAlias = Callable[[Known], Known]
"""Returns a record of the same kind without its secrets: what others have written may hold credentials.

It is given every record, the section's too, which names the rules.
"""


@dataclass(slots=True)
class _Part:
    """A section with its exchanges; `end` is None where it is not known."""

    section: Section
    exchanges: list[Exchange] = field(default_factory=list)
    end: SectionEnd | None = None


class Assembly:
    """Takes exchanges in any order, then yields all their records."""

    def __init__(self, *, imported_from: str, program: str, redact: Redact | None = None) -> None:
        self._imported_from = imported_from
        self._program = program
        self._redact = redact
        self._ours: dict[tuple[int, bytes], _Part] = {}
        self._others: list[tuple[int | None, Exchange]] = []

    def add_ours(self, exchange: Exchange, end: SectionEnd | None) -> None:
        """Take an exchange that tokentape exported, with its section."""
        assert exchange.section is not None  # noqa: S101
        key = (exchange.section_index, encode(exchange.section))
        part = self._ours.setdefault(key, _Part(exchange.section))
        part.exchanges.append(exchange)
        part.end = end or part.end

    def add_other(self, exchange: Exchange, wall_ns: int | None) -> None:
        """Take a stranger's exchange, whose times count from `wall_ns` (Unix time); None if it has none."""
        self._others.append((wall_ns, exchange))

    def entries(self) -> Iterator[Entry]:
        """Yield the records. Their offset is their number, for want of any other."""
        parts = [self._ours[key] for key in sorted(self._ours)]
        if self._others or not parts:
            parts.append(self._part_of_others())
        number = 0
        for part in parts:
            for record in _records(part):
                # The one place that all that strangers have written comes through.
                safe = record if self._redact is None else self._redact(record)
                yield Entry(number, encode(safe), safe)
                number += 1

    def _part_of_others(self) -> _Part:
        wall_ns = min((base for base, _ in self._others if base is not None), default=0)
        section = Section(
            version=FORMAT_VERSION,
            wall_ns=wall_ns,
            mono_ns=0,
            writer=f"tokentape {version('tokentape')}",
            proxy=self._program,
            host="",
            labels={"imported-from": self._imported_from},
        )
        moved = [
            exchange if base is None else _moved(exchange, by=base - wall_ns)
            for base, exchange in self._others
        ]
        moved.sort(key=_start)  # of equal times, the order of the file
        return _Part(section, [_numbered(exchange, number) for number, exchange in enumerate(moved)])


def _records(part: _Part) -> Iterator[Known]:
    yield part.section
    taken: set[int] = set()
    timed: list[tuple[int, Known]] = []
    for exchange in part.exchanges:
        unique = exchange
        if exchange.number in taken:  # two files were put together
            unique = _numbered(exchange, max(taken) + 1)
        taken.add(unique.number)
        timed += _timed(unique)
    notes = part.end.notes if part.end else ()
    timed += [(note.t, note) for note in notes]
    timed.sort(key=lambda pair: pair[0])  # of equal times, the order above
    chunks = [record for _, record in timed if isinstance(record, Chunk)]
    yield from (record for _, record in timed)
    if part.end is None:
        yield Close(
            t=max((t for t, _ in timed), default=0),
            exchanges=len(taken),
            chunks=len(chunks),
            bytes=sum(len(chunk.data) for chunk in chunks),
        )
    elif part.end.close is not None:
        yield part.end.close


def _timed(exchange: Exchange) -> Iterator[tuple[int, Known]]:
    """Yield the records of an exchange, each with when it was written: never before the one before."""
    latest = -(2**63)
    for record in _of(exchange):
        match record:
            case Request():
                latest = max(latest, record.t_end)
            case Response() | Chunk() | End() | Note():
                latest = max(latest, record.t)
        yield latest, record


def _of(exchange: Exchange) -> Iterable[Request | Response | Chunk | End | Note]:
    """Return the records of an exchange; notes among them come where their time is."""
    found: list[Request | Response | Chunk | End | Note] = [
        record for record in (exchange.request, exchange.response) if record is not None
    ]
    found += exchange.chunks
    for note in exchange.notes:
        place = next((at for at, each in enumerate(found) if at and each.t > note.t), len(found))
        found.insert(place, note)
    return [*found, exchange.end] if exchange.end is not None else found


def _start(exchange: Exchange) -> int:
    return exchange.request.t if exchange.request else 0


def _moved(exchange: Exchange, *, by: int) -> Exchange:
    """Add to all times of an exchange that are times; in a record what is not known is 0."""
    request, response, end = exchange.request, exchange.response, exchange.end
    if request is None or not by:
        return exchange
    exchange.request = replace(request, t=request.t + by, t_end=request.t_end + by)
    if response is not None:
        connect = response.connect
        if connect is not None:
            times = {name: getattr(connect, name) for name in connect.__struct_fields__}
            connect = replace(connect, **{name: t + by for name, t in times.items() if t is not None})
        exchange.response = replace(response, t=response.t + by, connect=connect)
    if end is not None:
        exchange.end = replace(end, t=end.t + by)
    return exchange


def _numbered(exchange: Exchange, number: int) -> Exchange:
    exchange.number = number
    exchange.request = replace(exchange.request, exchange=number) if exchange.request else None
    exchange.response = replace(exchange.response, exchange=number) if exchange.response else None
    exchange.chunks = [replace(chunk, exchange=number) for chunk in exchange.chunks]
    exchange.end = replace(exchange.end, exchange=number) if exchange.end else None
    exchange.notes = [replace(note, exchange=number) for note in exchange.notes]
    return exchange
