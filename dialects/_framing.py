"""How an answer's body is cut into events: server-sent events, or lines of JSON (NDJSON, as Ollama sends).

The invariant: either way an event names the piece that held its last byte, so its time is an arrival.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol

from tokentape.cassette import Exchange, Headers, ServerSentEvent, SSEDecoder, header
from tokentape.dialects._json import parse

NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json-lines")


class EventDecoder(Protocol):
    """Feed it decoded pieces in order, then call `end()`. `comments` counts the comments so far."""

    comments: int

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that this piece completed."""

    def end(self) -> ServerSentEvent | None:
        """Return what the body ended in the middle of, if anything."""


class LineDecoder:
    """Makes an event of the type `line` of each line that is not blank."""

    def __init__(self) -> None:
        self.comments = 0
        self._piece = -1
        self._rest: list[bytes] = []

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the lines that this piece completed."""
        self._piece += 1
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = b"".join([*self._rest, whole[0]])
            self._rest = []
        if rest:
            self._rest.append(rest)
        lines = [line.removesuffix(b"\r") for line in whole]
        return [ServerSentEvent(line, self._piece, "line") for line in lines if line.strip()]

    def end(self) -> ServerSentEvent | None:
        """Return the last line if nothing ended it; it is whole (`terminated`) if it is JSON."""
        line = b"".join(self._rest).removesuffix(b"\r")
        self._rest = []
        if not line.strip():
            return None
        return ServerSentEvent(line, self._piece, "line", terminated=parse(line) is not None)


def is_lines(headers: Headers) -> bool:
    """Whether a response's headers say that its body is lines of JSON."""
    return header(headers, b"content-type").partition(";")[0].strip().lower() in NDJSON


def decoder_of(headers: Headers) -> EventDecoder:
    """Return the decoder of a body whose response has these headers."""
    return LineDecoder() if is_lines(headers) else SSEDecoder()


def events_of(
    exchange: Exchange, pieces: Sequence[bytes], decoder: EventDecoder | None = None
) -> Iterator[ServerSentEvent]:
    """Return the events of an answer's decoded pieces, then what it ended in the middle of, if anything."""
    if decoder is None:
        decoder = decoder_of(exchange.response.headers if exchange.response else ())
    return chain.from_iterable(chain(map(decoder.feed, pieces), _rest_of(decoder)))


def _rest_of(decoder: EventDecoder) -> Iterator[list[ServerSentEvent]]:
    if last := decoder.end():
        yield [last]
