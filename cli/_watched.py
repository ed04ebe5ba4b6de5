"""What is under way in a recording, from its records as they come: no file, no clock, no drawing.

The invariant: nothing is kept of an exchange that has ended but a line, and of those only the latest.
Times are of the recorder's section; what has no end yet is measured against a clock that is handed in.
"""

from collections import deque
from typing import Literal

import msgspec

from tokentape import cassette
from tokentape.dialects import Outcome, Progress, path_of

_MOST_ENDED = 10

State = Literal["waiting", "no token yet", "streaming", "ended"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange in a picture of a recording. Times in ms; None is not there yet, or not known.

    `waiting_ms` is how long the client has waited for the first token, as long as there is none, and
    `silent_ms` how long nothing has come. `tokens` counts events that carry generated text. `outcome` is how
    it ended, in the words of `tokentape analyze`.
    """

    section: int
    exchange: int
    method: str
    host: str
    path: str
    model: str | None
    status: int | None
    state: State
    waiting_ms: float | None
    ttft_ms: float | None
    last_gap_ms: float | None
    silent_ms: float | None
    ended_ms: float | None
    events: int
    tokens: int
    bytes: int
    failed: bool
    outcome: Outcome | None


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A recording at one moment. `closed` says that the recorder has stopped cleanly."""

    sections: int
    exchanges: int
    failures: int
    closed: bool
    in_flight: list[Line]
    ended: list[Line]


class Watched:
    """Takes records in the order of the file. A new one is needed where a file was begun again."""

    def __init__(self) -> None:
        self._section: cassette.Section | None = None
        self._sections = 0
        self._closed = False
        self._exchanges = 0
        self._failures = 0
        self._streams: dict[int, _Stream] = {}
        self._ended: deque[Line] = deque(maxlen=_MOST_ENDED)

    def take(self, record: cassette.Record) -> None:
        """Take in the next record."""
        match record:
            case cassette.Chunk():
                if (stream := self._streams.get(record.exchange)) is not None:
                    stream.piece(record)
            case cassette.Request():
                self._exchanges += 1
                self._streams[record.exchange] = _Stream(max(self._sections - 1, 0), record)
            case cassette.Response():
                if (stream := self._streams.get(record.exchange)) is not None:
                    stream.progress.respond(record)
            case cassette.End():
                if (stream := self._streams.pop(record.exchange, None)) is not None:
                    self._end(stream, record)
            case cassette.Section():
                self._interrupt()
                self._section, self._closed = record, False
                self._sections += 1
            case cassette.Close():
                self._interrupt()
                self._closed = True
            case _:
                pass

    def picture(self, unix_ns: int) -> Picture:
        """Return what is under way at a moment of the wall clock."""
        now = unix_ns - self._section.wall_ns if self._section else 0
        return Picture(
            sections=self._sections,
            exchanges=self._exchanges,
            failures=self._failures,
            closed=self._closed,
            in_flight=[stream.line(now) for _, stream in sorted(self._streams.items())],
            ended=list(self._ended),
        )

    def _interrupt(self) -> None:
        for _, stream in sorted(self._streams.items()):
            self._end(stream, None)
        self._streams = {}

    def _end(self, stream: "_Stream", end: cassette.End | None) -> None:
        line = stream.line(end.t if end else None, stream.progress.end(end))
        self._failures += line.failed
        self._ended.append(line)


class _Stream:
    """An exchange that has not ended, and when what came of it came."""

    def __init__(self, section: int, request: cassette.Request) -> None:
        self.progress = Progress(request)
        self._section = section
        self._last: int | None = None
        self._gap: int | None = None

    def piece(self, chunk: cassette.Chunk) -> None:
        self._gap = None if self._last is None else chunk.t - self._last
        self._last = chunk.t
        self.progress.feed(chunk)

    def line(self, now: int | None, outcome: Outcome | None = None) -> Line:
        """Return what is to be seen of it; `now` is on the section's clock, None where it ended unseen."""
        progress = self.progress
        request, response = progress.request, progress.response
        zero = request.t_end
        knows = request.times == "all"
        status = response.status if response else None
        under_way = outcome is None
        return Line(
            section=self._section,
            exchange=request.exchange,
            method=request.method,
            host=request.host,
            path=path_of(request),
            model=progress.model,
            status=status,
            state=self._state(under_way),
            waiting_ms=_ms(zero, now) if under_way and progress.first_token is None else None,
            ttft_ms=_ms(zero, progress.first_token) if knows else None,
            last_gap_ms=None if self._gap is None or not knows else self._gap / 1e6,
            silent_ms=_ms(self._last, now) if under_way else None,
            ended_ms=_ms(zero, now) if not under_way and request.times != "none" else None,
            events=progress.events,
            tokens=progress.tokens,
            bytes=progress.bytes,
            failed=outcome not in (None, "complete"),
            outcome=outcome,
        )

    def _state(self, under_way: bool) -> State:
        if not under_way:
            return "ended"
        if self.progress.response is None:
            return "waiting"
        silent = self.progress.first_token is None if self.progress.reads else not self.progress.bytes
        return "no token yet" if silent else "streaming"


def _ms(start: int | None, end: int | None) -> float | None:
    """Return the time between; never less than none, since the two clocks may differ by a little."""
    return None if start is None or end is None else max(end - start, 0) / 1e6
