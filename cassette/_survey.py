"""What is in a cassette, counted in one pass that holds no bodies.

Memory is taken for sections, for exchanges under way and for a limited number of distinct names, however
many exchanges there are and whoever named them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from tokentape.cassette._framing import HEADER_BYTES
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import Chunk, Close, End, Note, Request, Response, Section, Unknown

OTHERS = "(others)"
_MAX_NAMES = 1000
_MAX_NAME_LENGTH = 200


class Tally:
    """Counts names. Of the first thousand each has its own count, what comes then is `(others)`."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def add(self, name: str) -> None:
        """Count a name."""
        if len(name) > _MAX_NAME_LENGTH:
            name = name[:_MAX_NAME_LENGTH] + "..."
        if name not in self.counts and len(self.counts) >= _MAX_NAMES:
            name = OTHERS
        self.counts[name] = self.counts.get(name, 0) + 1

    def most_common(self) -> dict[str, int]:
        """Return the counts, the highest first, then by name."""
        return dict(sorted(self.counts.items(), key=lambda each: (-each[1], each[0])))


@dataclass(slots=True)
class SectionSurvey:
    """One recording in the file. `section` is None if its record was lost.

    `last_t` is the greatest time in its records, in ns of its own clock.
    """

    section: Section | None
    closed: bool = False
    exchanges: int = 0
    chunks: int = 0
    bytes: int = 0
    last_t: int | None = None

    @property
    def start_ns(self) -> int | None:
        """Unix time in ns at which it began, None if that is not known."""
        return self.section.wall_ns if self.section and self.section.wall_ns else None

    @property
    def end_ns(self) -> int | None:
        """Unix time in ns of its last record, as its monotonic clock counts from its start."""
        return None if self.start_ns is None else self.start_ns + self.duration_ns

    @property
    def duration_ns(self) -> int:
        """From time 0 to the last record; a connection may have been opened a little before 0."""
        return max(self.last_t or 0, 0)


@dataclass(slots=True)
class Largest:
    """The exchange with the longest body."""

    section: int
    exchange: int
    bytes: int


@dataclass(slots=True)
class _Open:
    """An exchange under way."""

    status: int | None = None
    bytes: int = 0


@dataclass(slots=True)
class Survey:
    """Feed it the entries of a cassette in order, then call `finish`.

    `exchanges` counts all that the file has a record of, also those whose request was lost; `bytes` are
    of bodies of responses, still content-encoded, `request_bytes` of requests. `size` is how far the
    entries reach, in bytes of the decompressed file. `model_of` says which model a request asks for.

    `outcomes` has the reasons of end records and `interrupted`, `statuses` those of HTTP and `no response`.
    """

    model_of: Callable[[Request], str | None] = lambda _: None
    sections: list[SectionSurvey] = field(default_factory=list)
    exchanges: int = 0
    chunks: int = 0
    bytes: int = 0
    request_bytes: int = 0
    notes: int = 0
    unknown: int = 0
    redactions: int = 0
    size: int = 0
    hosts: Tally = field(default_factory=Tally)
    models: Tally = field(default_factory=Tally)
    outcomes: Tally = field(default_factory=Tally)
    statuses: Tally = field(default_factory=Tally)
    largest: Largest | None = None
    _open: dict[int, _Open] = field(default_factory=dict)

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        record = entry.record
        self.size = entry.offset + HEADER_BYTES + len(entry.payload)
        if isinstance(record, Section):
            self.finish()
            self.sections.append(SectionSurvey(record))
            return
        if isinstance(record, Unknown):
            self.unknown += 1
            return
        section = self._section()
        if section.last_t is None or record.t > section.last_t:
            section.last_t = record.t
        match record:
            case Chunk():
                size = len(record.data)
                self.chunks += 1
                section.chunks += 1
                self.bytes += size
                section.bytes += size
                self._of(record.exchange).bytes += size
            case Request():
                self._request(record)
            case Response():
                self._of(record.exchange).status = record.status
                self.redactions += record.redactions
            case End():
                self._end(record.exchange, self._of(record.exchange), record.reason)
                del self._open[record.exchange]
            case Note():
                self.notes += 1
            case Close():
                section.closed = True

    def finish(self) -> None:
        """Take in that the section is over: what has no end was interrupted."""
        for number, exchange in self._open.items():
            self._end(number, exchange, "interrupted")
        self._open = {}

    def _section(self) -> SectionSurvey:
        if not self.sections:
            self.sections.append(SectionSurvey(None))
        return self.sections[-1]

    def _of(self, number: int) -> _Open:
        found = self._open.get(number)
        if found is None:
            found = self._open[number] = _Open()
            self.exchanges += 1
            self._section().exchanges += 1
        return found

    def _request(self, record: Request) -> None:
        self._of(record.exchange)
        self.request_bytes += len(record.body)
        self.redactions += record.redactions
        self.hosts.add(record.host)
        self.models.add(self.model_of(record) or "(none)")

    def _end(self, number: int, exchange: _Open, reason: str) -> None:
        self.outcomes.add(reason)
        self.statuses.add("no response" if exchange.status is None else str(exchange.status))
        if self.largest is None or exchange.bytes > self.largest.bytes:
            self.largest = Largest(len(self.sections) - 1, number, exchange.bytes)
