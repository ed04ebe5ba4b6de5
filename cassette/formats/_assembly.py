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

MAX_SPAN_NS = 2**59
"""18 years: the sum of two such is still a time of a cassette."""


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
        """Take a stranger's exchange, whose times count from `wall_ns` (Unix time); None if it has none.

        Raises ValueError if years lie between its times.
        """
        for t in _times(exchange):
            if abs(t) > MAX_SPAN_NS:
                raise ValueError(f"expected times of one exchange, found some {abs(t) // 10**9} s apart")
        self._others.append((wall_ns, exchange))

    def entries(self) -> Iterator[Entry]:
        """Yield the records. Their offset is their number, for want of any other."""
        parts = [self._ours[key] for key in sorted(self._ours)]
        parts += self._parts_of_others(at_least_one=not parts)
        number = 0
        for part in parts:
            for record in _records(part):
                # The one place that all that strangers have written comes through.
                safe = record if self._redact is None else self._redact(record)
                yield Entry(number, encode(safe), safe)
                number += 1

    def _parts_of_others(self, *, at_least_one: bool) -> Iterator[_Part]:
        """Yield strangers' exchanges as one section; as several where years lie between them."""
        timed = sorted(((base, each) for base, each in self._others if base is not None), key=_base)
        untimed = [(0, each) for base, each in self._others if base is None]
        rows = [*untimed, *timed]
        while rows or at_least_one:
            at_least_one = False
            wall_ns = next((base for base, _ in rows if base), 0)
            size = sum(base - wall_ns <= MAX_SPAN_NS for base, _ in rows)
            moved = [_moved(each, by=base - wall_ns) if base else each for base, each in rows[:size]]
            rows = rows[size:]
            # Untimed ones are all there is, or come first: their order is that of the file.
            yield _Part(
                self._section(wall_ns), [_numbered(each, number) for number, each in enumerate(moved)]
            )

    def _section(self, wall_ns: int) -> Section:
        return Section(
            version=FORMAT_VERSION,
            wall_ns=wall_ns,
            mono_ns=0,
            writer=f"tokentape {version('tokentape')}",
            proxy=self._program,
            host="",
            labels={"imported-from": self._imported_from},
        )


def _base(row: tuple[int, Exchange]) -> int:
    return row[0]


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


def _times(exchange: Exchange) -> Iterator[int]:
    request, response, end = exchange.request, exchange.response, exchange.end
    if request is not None:
        yield from (request.t, request.t_end)
    if response is not None:
        yield response.t
        if response.connect is not None:
            steps = (getattr(response.connect, name) for name in response.connect.__struct_fields__)
            yield from (t for t in steps if t is not None)
    if end is not None:
        yield end.t


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
