"""From the records of a cassette to exchanges as other formats take them: one after another, with a section.

What such a format has no place for is counted and said: records that are of no exchange that has
a request.
"""

from collections.abc import Iterable, Iterator

from tokentape.cassette._exchanges import Exchange, exchanges
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import Close, Note, Record, Section, Unknown, encode
from tokentape.cassette._recovery import with_stand_ins
from tokentape.cassette.formats._beside import SectionEnd


def exchanges_of(
    entries: Iterable[Entry], lost: list[str], *, into: str
) -> Iterator[tuple[Exchange, SectionEnd | None]]:
    """Yield every exchange that has a request and a section, by number; with the first of each, its end.

    All are in memory at once, since a section's end is known at its end. `into` names the format in `lost`.
    """
    ends: list[SectionEnd] = []
    counts = {"unknown": 0, "further": 0}
    records = _watched(with_stand_ins(entries), ends, counts)
    found = sorted(exchanges(records), key=lambda each: (each.section_index, each.number))
    if counts["unknown"]:
        lost.append(f"{counts['unknown']} of the records are of kinds that {into} has no place for")
    if counts["further"]:
        lost.append(f"{counts['further']} of the records have fields that {into} has no place for")
    told: set[int] = set()
    for exchange in found:
        if exchange.request is None or exchange.section is None:
            missing = "request" if exchange.request is None else "section"
            lost.append(
                f"exchange {exchange.number} of section {exchange.section_index}: "
                f"its {missing} was lost before, and {into} has no place for the rest"
            )
            continue
        first = exchange.section_index not in told
        told.add(exchange.section_index)
        yield exchange, ends[exchange.section_index] if first else None


def _watched(entries: Iterable[Entry], ends: list[SectionEnd], counts: dict[str, int]) -> Iterator[Record]:
    notes: list[Note] = []
    for _, payload, record in entries:
        match record:
            case Section():
                notes = []
                ends.append(SectionEnd(notes, None))
            case Note() if record.exchange is None:
                notes.append(record)
            case Close() if ends:
                ends[-1] = SectionEnd(notes, record)
            case Unknown():
                counts["unknown"] += 1
            case _:
                pass
        if not isinstance(record, Unknown):
            counts["further"] += len(payload) > len(encode(record))
        yield record
