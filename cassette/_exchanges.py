"""From the flat row of records to exchanges: a request with all that was recorded of its answer."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tokentape.cassette._lost_sections import LostSections
from tokentape.cassette._records import Chunk, End, Note, Record, Request, Response, Section


@dataclass(slots=True, kw_only=True)
class Exchange:
    """What a cassette holds of one exchange. What is None was not recorded, or was lost to damage.

    `section_index` counts the sections of the file from 0, also those whose record must have been lost;
    `number` is the exchange's within its section.
    """

    section_index: int
    section: Section | None
    number: int
    request: Request | None = None
    response: Response | None = None
    chunks: list[Chunk] = field(default_factory=list)
    end: End | None = None
    notes: list[Note] = field(default_factory=list)
    is_mixed: bool = False
    """Whether another request or response of its number came before its end: what is whose is not known."""

    @property
    def body(self) -> bytes:
        """The response's body, still content-encoded."""
        return b"".join([chunk.data for chunk in self.chunks])

    @property
    def lost_chunks(self) -> int:
        """How many pieces the recorder wrote that the reader did not get."""
        return self.end.chunks - len(self.chunks) if self.end else 0

    @property
    def times_go_back(self) -> bool:
        """Whether its times, as far as its request says that they are known, are not in order.

        That is rule 5 of "Agreement" in docs/cassette-format.md, as `Verification` asks it of records.
        """
        known = self.request.times if self.request else "all"
        if known == "none":
            return False
        times = [self.request.t, self.request.t_end] if self.request else []
        if self.response is not None:
            times.append(self.response.t)
        if known == "all":  # the times of pieces are the first to be unknown
            times += [chunk.t for chunk in self.chunks]
        if self.end is not None:
            times.append(self.end.t)
        return times != sorted(times)


def exchanges(records: Iterable[Record]) -> Iterator[Exchange]:  # noqa: C901  (a case for each record)
    """Yield exchanges as they end, then those that have no end record, in order of their numbers.

    Holds only the exchanges that are under way. An exchange without an end record was interrupted with
    the recorder. `Exchange.section` is None if the section's record was lost to damage.
    """
    section: Section | None = None
    section_index = -1
    lost = LostSections()
    open_exchanges: dict[int, Exchange] = {}

    def of(number: int) -> Exchange:
        found = open_exchanges.get(number)
        if found is None:
            found = Exchange(section_index=section_index, section=section, number=number)
            open_exchanges[number] = found
        return found

    # Nearly all records are chunks, and most are of the exchange that the one before was of.
    last, put = -1, list[Chunk]().append
    for record in records:
        if type(record) is Chunk:
            if record.exchange == last:
                put(record)
                continue
            if (current := open_exchanges.get(record.exchange)) is not None and not lost.closed:
                last, put = record.exchange, current.chunks.append
                put(record)
                continue
        last = -1
        if lost.before(record) or isinstance(record, Section):
            yield from _by_number(open_exchanges)
            open_exchanges = {}
            section, section_index = record if isinstance(record, Section) else None, section_index + 1
        match record:
            case Chunk():
                of(record.exchange).chunks.append(record)
            case Request():
                exchange = of(record.exchange)
                exchange.is_mixed |= exchange.request is not None
                exchange.request = record
            case Response():
                exchange = of(record.exchange)
                exchange.is_mixed |= exchange.response is not None
                exchange.response = record
            case End():
                exchange = of(record.exchange)
                exchange.end = record
                del open_exchanges[record.exchange]
                yield exchange
            case Note() if record.exchange is not None:
                of(record.exchange).notes.append(record)
            case _:
                pass
    yield from _by_number(open_exchanges)


def _by_number(open_exchanges: dict[int, Exchange]) -> list[Exchange]:
    return [open_exchanges[number] for number in sorted(open_exchanges)]
