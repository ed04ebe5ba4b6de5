"""From an exchange to what its answer says, event by event: bytes in, values out, no times and no metrics.

The invariant: every row names the read (the recorded piece) that completed its event, so that a time is
always the arrival of a piece and never something made up later. Rows are kept as parallel lists, which
the tables are made of without another object for each row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from tokentape.analysis.dialects import DONE, FINISH, PLAIN_SSE, Dialect, Usage, choose
from tokentape.analysis.dialects._json import dict_of, parse, text_of
from tokentape.cassette import (
    ContentDecoder,
    Exchange,
    Headers,
    Request,
    ServerSentEvent,
    SSEDecoder,
    UndecodableContent,
)

NO_CHOICE = -1
NO_COUNT = -1


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each event and choice in it; an event without a choice has one with `NO_CHOICE`."""

    event: list[int] = field(default_factory=list)
    read: list[int] = field(default_factory=list)
    choice: list[int] = field(default_factory=list)
    carries: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    billed: list[int] = field(default_factory=list)
    """Output tokens billed so far, as this event says, or `NO_COUNT`."""
    bytes: list[int] = field(default_factory=list)


@dataclass(slots=True)
class Choice:
    """What is known of a choice at its end. A choice that a stream never named is not there."""

    finish_reason: str | None = None
    usage: Usage | None = None
    text_chars: int = 0
    """Counted here only for an answer that was not streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of one exchange. `is_stream` is False for a body that is no event stream."""

    is_stream: bool
    dialect: Dialect | None
    rows: Rows
    choices: dict[int, Choice]
    events: int = 0
    comments: int = 0
    decoded_bytes: list[int]
    """How many bytes each read gave once its content-encoding was undone."""
    usage: Usage | None = None
    usage_event: int = -1
    """The last event with a usage of the whole exchange."""
    model: str | None = None
    error: str | None = None
    ended: bool = False
    """Whether the end mark came."""
    undecodable: str | None = None


def answer_of(exchange: Exchange, dialect: Dialect | None = None) -> Answer:
    """Decode the answer of an exchange, in the dialect given or else in the one that it looks like.

    Nothing in the body makes it raise; what cannot be decoded is not there.
    """
    headers = exchange.response.headers if exchange.response else ()
    pieces, undecodable = _decoded(exchange, header_of(headers, b"content-encoding"))
    if dialect is None:
        path = path_of(exchange.request) if exchange.request else ""
        dialect = choose(path, chain.from_iterable(_events_of(SSEDecoder(), pieces)))
    answer = _streamed(pieces, dialect, undecodable)
    if not answer.events and not _is_event_stream(headers, pieces):
        return _whole(pieces, dialect, undecodable)
    return answer


def header_of(headers: Headers, name: bytes) -> str:
    """Return the values of a header, joined with commas as HTTP allows; "" if it is not there."""
    return ",".join([value.decode("latin-1") for key, value in headers if key.lower() == name])


def path_of(request: Request) -> str:
    """Return the path of a request without its query, which may hold what should not be in a table."""
    return request.path.partition(b"?")[0].decode("ascii", "backslashreplace")


def asked_of(request: Request) -> str | None:
    """Return the model that the request's body asks for, None if it names none."""
    body = request.body
    try:
        body = ContentDecoder(header_of(request.headers, b"content-encoding")).feed(body)
    except UndecodableContent:
        return None
    return text_of(dict_of(parse(body)).get("model")) or None


def _decoded(exchange: Exchange, encoding: str) -> tuple[list[bytes], str | None]:
    pieces = [chunk.data for chunk in exchange.chunks]
    if not encoding:
        return pieces, None
    decoded: list[bytes] = []
    try:
        decode = ContentDecoder(encoding).feed
        for piece in pieces:
            decoded.append(decode(piece))  # noqa: PERF401  (what was decoded before an error is kept)
    except UndecodableContent as error:
        return decoded + [b""] * (len(pieces) - len(decoded)), str(error)
    return decoded, None


def _events_of(decoder: SSEDecoder, pieces: list[bytes]) -> Iterator[list[ServerSentEvent]]:
    """Yield the events of each piece, then what the stream ended in the middle of."""
    yield from map(decoder.feed, pieces)
    if last := decoder.end():
        yield [last]


def _is_event_stream(headers: Headers, pieces: list[bytes]) -> bool:
    """Whether a body without a single event was meant to be a stream."""
    content_type = header_of(headers, b"content-type").lower()
    if "event-stream" in content_type:
        return not b"".join(pieces).lstrip().startswith((b"{", b"["))
    return "ndjson" in content_type or not any(pieces)


def _whole(pieces: list[bytes], dialect: Dialect, undecodable: str | None) -> Answer:
    """Return an answer that came in one: a JSON object, an error page."""
    carried = dialect.read_answer(b"".join(pieces))
    choices = {
        delta.choice: Choice(delta.finish, delta.usage, len(delta.text))
        for delta in (carried.deltas if carried else ())
    }
    return Answer(
        is_stream=False,
        dialect=dialect if carried and choices else None,
        rows=Rows(),
        choices=choices,
        decoded_bytes=[len(piece) for piece in pieces],
        usage=carried.usage if carried else None,
        model=carried.model if carried else None,
        error=carried.error if carried else None,
        undecodable=undecodable,
    )


def _streamed(  # noqa: C901  (the one loop over every event: a call for each costs more than a branch)
    pieces: list[bytes], dialect: Dialect, undecodable: str | None
) -> Answer:
    rows = Rows()
    choices: dict[int, Choice] = {}
    usage: Usage | None = None
    usage_event = -1
    model = error = None
    ended = False
    number = 0
    decoder = SSEDecoder()
    read = dialect.reader()
    # This loop runs once for each event of a cassette; its methods are looked up once.
    add_event, add_read, add_choice = rows.event.append, rows.read.append, rows.choice.append
    add_carries, add_text = rows.carries.append, rows.text.append
    add_billed, add_bytes = rows.billed.append, rows.bytes.append
    for event in chain.from_iterable(_events_of(decoder, pieces)):
        carried = read(event)
        carries = carried.carries
        billed = NO_COUNT
        if carries:
            if carried.usage is not None:
                usage, usage_event = carried.usage, number
                if usage.output is not None:
                    billed = usage.output
            error = error or carried.error
            ended = ended or bool(carries & DONE)
        if model is None:
            model = carried.model
        for delta in carried.deltas:
            choice = choices.get(delta.choice)
            if choice is None:
                choice = choices[delta.choice] = Choice()
            if delta.carries & FINISH and choice.finish_reason is None:
                choice.finish_reason = delta.finish
            if delta.usage is not None:
                choice.usage = delta.usage
            add_event(number)
            add_read(event.piece)
            add_choice(delta.choice)
            add_carries(delta.carries | carries)
            add_text(delta.text)
            add_billed(billed)
            add_bytes(len(event.data))
        if not carried.deltas:
            add_event(number)
            add_read(event.piece)
            add_choice(NO_CHOICE)
            add_carries(carries)
            add_text("")
            add_billed(billed)
            add_bytes(len(event.data))
        number += 1
    return Answer(
        is_stream=True,
        dialect=dialect if number or dialect is not PLAIN_SSE else None,
        rows=rows,
        choices=choices,
        events=number,
        comments=decoder.comments,
        decoded_bytes=[len(piece) for piece in pieces],
        usage=usage,
        usage_event=usage_event,
        model=model,
        error=error,
        ended=ended,
        undecodable=undecodable,
    )
