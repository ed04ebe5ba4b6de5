"""Where the events of a body are: what `@event=4` counts.

An event is a server-sent event with data, as `tokentape.cassette` decodes them, `[DONE]` included; in
NDJSON it is a line that is not empty. Comments are none, nor is what an answer was cut off in; but where one
comes to its end without the last blank line, its last event is one. Invariant: events do not overlap, and
are in order.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from tokentape.cassette import ContentDecoder, ServerSentEvent, SSEDecoder, UndecodableContent, header
from tokentape.dialects import NDJSON
from tokentape.replay.faults._unframed import Unframed

_LINES = re.compile(rb"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """An event and the bytes of the body that are its own: from its first field to its blank line."""

    start: int
    end: int
    event: ServerSentEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed:
    """An answer whose events are known. Its body has no content-encoding. `lines`: it is NDJSON."""

    answer: Unframed
    events: tuple[Located, ...]
    lines: bool

    def rest_of(self, count: int) -> bytes:
        """Return what the last of so many events lacks before something else can follow; b"" but for some."""
        if count == 0 or self.events[count - 1].event.terminated:
            return b""
        return b"\n" if self.lines else b"\n\n"


def streamed(answer: Unframed) -> Streamed | None:
    """Return the events of an answer, which is decoded for it; None if none can be found in it."""
    found = _decoded(answer)
    if found is None:
        return None
    kind = header(answer.headers, b"content-type").partition(";")[0].strip().lower()
    lines = kind in NDJSON
    body = found.body
    whole = answer.ending == "open"
    events = tuple(_lines(body, whole=whole) if lines else _events(body, whole=whole))
    return Streamed(answer=found, events=events, lines=lines) if events else None


def unreadable(answer: Unframed) -> str:
    """Return the content-encoding for which no events can be found in an answer; "" if it is not that."""
    return header(answer.headers, b"content-encoding") if _decoded(answer) is None else ""


def _events(body: bytes, *, whole: bool) -> Iterator[Located]:
    decoder = SSEDecoder()
    lines = _LINES.findall(body)
    start: int | None = None
    for line, end in zip(lines, accumulate(map(len, lines)), strict=True):
        blank = not line.strip(b"\r\n")
        if start is None and not blank and not line.startswith(b":"):
            start = end - len(line)
        found = decoder.feed(line)
        if found and start is not None:
            yield Located(start=start, end=end, event=found[0])
        if blank:
            start = None
    last = decoder.end()
    if last is not None and start is not None and whole:
        yield Located(start=start, end=len(body), event=last)


def _lines(body: bytes, *, whole: bool) -> Iterator[Located]:
    position = 0
    for line in body.split(b"\n"):
        end = min(position + len(line) + 1, len(body))
        ended = body[position:end].endswith(b"\n")
        if (data := line.strip()) and (whole or ended):
            yield Located(start=position, end=end, event=ServerSentEvent(data, 0, terminated=ended))
        position = end


def _decoded(answer: Unframed) -> Unframed | None:
    """Return an answer without its content-encoding, each piece due when it was; None if that cannot be."""
    encoding = header(answer.headers, b"content-encoding")
    if encoding.strip().lower() in ("", "identity"):
        return answer
    pieces = []
    try:
        decode = ContentDecoder(encoding).feed
        for due_ns, data in answer.pieces:
            if text := decode(data):
                pieces.append((due_ns, text))
    except UndecodableContent:
        return None
    return answer.decoded(tuple(pieces))
