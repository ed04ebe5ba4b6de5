"""What checksums cannot show: whether the records that are there agree with each other.

A record that was taken out with its whole frame leaves no trace among the frames, but the others tell of
it: an end that counts more pieces, a piece without its request. The rules, and which of them mean that a
record was lost, are in docs/cassette-format.md, "Agreement". The invariant: what a recorder has written
gives no finding, whole or cut off at any byte.

Memory is taken for exchanges under way, for findings up to a limit, and for numbers behind one that was
left out; not for what is whole.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from tokentape.cassette._framing import Damage
from tokentape.cassette._plural import counted
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import Chunk, Close, End, Note, Record, Request, Response, Section, Times

Verdict: TypeAlias = Literal["whole", "interrupted", "torn", "corrupt"]

_END_WITH_COUNTS = 8  # elements: the kind and seven fields


class Finding(NamedTuple):
    """Records that do not agree. `offset` is where the record begins at which it shows.

    `is_loss`: a record is missing, or one is there that no recorder wrote there. Otherwise all is there,
    and a rule of the format is broken.
    """

    offset: int
    section: int
    exchange: int | None
    is_loss: bool
    what: str

    def __str__(self) -> str:
        """Return what was found and where, for people."""
        of = "" if self.exchange is None else f"exchange {self.exchange} of "
        return f"{of}section {self.section}, at byte {self.offset}: {self.what}"


class Verification:
    """Feed it the entries of a cassette in order, then call `finish`.

    `findings` has the first `limit` of them; `losses` and `warnings` count all. `unclosed` are the numbers
    of sections without a close record, as far as there are no more than `limit`, and `unended` counts
    exchanges without an end in such sections: they were interrupted, and have lost nothing.
    """

    def __init__(self, limit: int = 1000) -> None:
        self.findings: list[Finding] = []
        self.losses = 0
        self.warnings = 0
        self.unclosed: list[int] = []
        self.unended = 0
        self._limit = limit
        self._section = -1
        self._offset = 0
        self._begin()

    def verdict(self, damage: Iterable[Damage]) -> Verdict:
        """Return the worst that is true of the file; `damage` is what its reader has found."""
        torn = [each.torn for each in damage]
        if self.losses or not all(torn):
            return "corrupt"
        if torn:
            return "torn"
        return "interrupted" if self.unclosed else "whole"

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        self._offset, payload, record = entry
        match record:
            case Chunk() if (exchange := self._open.get(record.exchange)) is not None:
                self._chunk(exchange, record)  # nearly all records are such
            case Section():
                self._leave()
                self._section += 1
                self._begin()
            case Close():
                self._close(record)
            case Request():
                self._after_close(record)
                self._request(record)
            case Response() | Chunk() | End():
                self._after_close(record)
                self._of_exchange(record, payload)
            case Note() if record.exchange is not None and not self._is_known(record.exchange):
                self._warn(record.exchange, "a note of an exchange that has no request")
            case _:
                pass

    def finish(self) -> None:
        """Take in that there is no more."""
        self._leave()
        if self._section < 0 and not self._records:
            self.unclosed.append(0)  # nothing but the magic: stopped before its first record

    def _begin(self) -> None:
        self._open: dict[int, _Open] = {}
        self._ended = _Numbers()
        self._highest = -1
        self._closed = False
        self._records = self._requests = self._chunks = self._bytes = 0

    def _leave(self) -> None:
        """End the section that is under way, if one is."""
        if not self._closed and (self._section >= 0 or self._records):
            self.unended += len(self._open)
            if len(self.unclosed) < self._limit:
                self.unclosed.append(max(self._section, 0))

    def _close(self, record: Close) -> None:
        if self._closed:
            self._lose(None, "a second close record; the section record before it is missing")
            self._begin()
        for number in self._open:
            self._lose(number, "its end record is missing: the section was closed")
        counts = (self._requests, self._chunks, self._bytes)
        written = (record.exchanges, record.chunks, record.bytes)
        if counts != written:
            self._lose(
                None,
                f"the close record counts {_listed(written, 'request', 'piece', 'byte')}; "
                "{}, {} and {} are there".format(*counts),
            )
        self._closed = True
        self._open = {}

    def _after_close(self, record: Record) -> None:
        self._records += 1
        if self._closed:
            kind = type(record).__name__.lower()
            self._lose(None, f"a {kind} after the close; the section record before it is missing")
            self._begin()
            self._records = 1

    def _request(self, record: Request) -> None:
        number = record.exchange
        if self._is_known(number):
            self._lose(number, "a second request of this number; a section record may be missing before it")
        elif number < self._highest:
            self._warn(number, f"its request comes after that of exchange {self._highest}")
        self._highest = max(self._highest, number)
        self._requests += 1
        self._open[number] = exchange = _Open(times=record.times, t=record.t)
        self._time(exchange, number, record.t_end)

    def _of_exchange(self, record: Response | Chunk | End, payload: bytes) -> None:
        number = record.exchange
        exchange = self._open.get(number)
        if exchange is None:
            kind = type(record).__name__.lower()
            why = " after its end" if number in self._ended else ", and its request is missing"
            self._lose(number, f"a {kind}{why}")
            # What else comes of it is counted as usual, and said once.
            exchange = self._open[number] = _Open(times="all", t=record.t, answered=True)
        match record:
            case Response():
                if exchange.responded:
                    self._lose(number, "a second response")
                exchange.answered = exchange.responded = True
                self._time(exchange, number, record.t)
            case Chunk():
                self._chunk(exchange, record)
            case End():
                self._end(exchange, record, payload)

    def _chunk(self, exchange: "_Open", record: Chunk) -> None:
        if not exchange.answered:
            self._lose(record.exchange, "a piece, and its response is missing")
            exchange.answered = True
        size = len(record.data)
        if not size and not exchange.warned_empty:
            self._warn(record.exchange, "an empty piece")
            exchange.warned_empty = True
        exchange.chunks += 1
        exchange.bytes += size
        self._chunks += 1
        self._bytes += size
        if exchange.times == "all":  # the times of pieces are the first to be unknown
            self._time(exchange, record.exchange, record.t)

    def _end(self, exchange: "_Open", record: End, payload: bytes) -> None:
        number = record.exchange
        found, written = (exchange.chunks, exchange.bytes), (record.chunks, record.bytes)
        if found != written and _elements(payload) >= _END_WITH_COUNTS:
            self._lose(
                number,
                f"its end record counts {_listed(written, 'piece', 'byte')}; {{}} and {{}} are there".format(
                    *found
                ),
            )
        if record.reason == "complete" and not exchange.answered:
            self._lose(number, "it is complete, and its response is missing")
        self._time(exchange, number, record.t)
        del self._open[number]
        self._ended.add(number)

    def _time(self, exchange: "_Open", number: int, t: int) -> None:
        if exchange.times == "none":
            return
        if t < exchange.t and not exchange.warned_time:
            self._warn(number, f"its times go back by {exchange.t - t} ns")
            exchange.warned_time = True
        exchange.t = max(exchange.t, t)

    def _is_known(self, number: int) -> bool:
        return number in self._open or number in self._ended

    def _lose(self, exchange: int | None, what: str) -> None:
        self.losses += 1
        self._find(exchange, what, is_loss=True)

    def _warn(self, exchange: int | None, what: str) -> None:
        self.warnings += 1
        self._find(exchange, what, is_loss=False)

    def _find(self, exchange: int | None, what: str, *, is_loss: bool) -> None:
        if len(self.findings) < self._limit:
            self.findings.append(Finding(self._offset, max(self._section, 0), exchange, is_loss, what))


@dataclass(slots=True)
class _Open:
    """An exchange under way. `t` is the latest of its times."""

    times: Times
    t: int
    chunks: int = 0
    bytes: int = 0
    responded: bool = False
    answered: bool = False  # it has a response, or that it has none was said
    warned_time: bool = False
    warned_empty: bool = False


class _Numbers:
    """A set of numbers of which nearly all from 0 on are there."""

    def __init__(self) -> None:
        self._below = 0
        self._beyond: set[int] = set()

    def __contains__(self, number: int) -> bool:
        return number < self._below or number in self._beyond

    def add(self, number: int) -> None:
        if number >= self._below:
            self._beyond.add(number)
        while self._below in self._beyond:
            self._beyond.remove(self._below)
            self._below += 1


def _elements(payload: bytes) -> int:
    """Return how many elements the msgpack array has that a payload is."""
    match payload[0]:
        case 0xDC:
            return int.from_bytes(payload[1:3])
        case 0xDD:
            return int.from_bytes(payload[1:5])
        case head:
            return head & 0x0F


def _listed(counts: tuple[int, ...], *nouns: str) -> str:
    """Return `1 request, 2 pieces and 30 bytes`."""
    parts = list(map(counted, counts, nouns))
    return f"{', '.join(parts[:-1])} and {parts[-1]}"
