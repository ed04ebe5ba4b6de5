"""From an exchange to what its answer says, event by event: bytes in, values out, no times and no metrics.

The invariant: every row names the read (the recorded piece) that completed its event, so that a time is
always the arrival of a piece and never something made up later. Rows are kept as parallel lists, which
the tables are made of without another object for each row.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, compress

from tokentape.cassette import (
    Exchange,
    Headers,
    decoded,
    header,
)
from tokentape.dialects import (
    DONE,
    ERROR,
    FINISH,
    NO_CHOICE,
    OWN_USAGE,
    PLAIN_SSE,
    UNPARSED,
    USAGE,
    Carried,
    Dialect,
    Usage,
    choose,
    decoder_of,
    events_of,
    is_lines,
    path_of,
)

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


@dataclass(slots=True)
class Choice:
    """What is known of a choice at its end. A choice that a stream never named is not there."""

    finish_reason: str | None = None
    usage: Usage | None = None
    text: str = ""
    """Only of an answer that was not streamed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of one exchange. `is_stream` is False for a body that is no event stream."""

    is_stream: bool
    dialect: Dialect | None
    rows: Rows
    choices: dict[int, Choice]
    events: int = 0
    comments: int = 0
    unparsed: int = 0
    """How many events were not the JSON that the dialect speaks."""
    decoded_bytes: list[int]
    """How many bytes each read gave once its content-encoding was undone."""
    usage: Usage | None = None
    usage_event: int = -1
    """The last event with a usage of the whole exchange."""
    cached_tokens: int | None = None
    """Prompt tokens that came from the provider's cache, as billed."""
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
    pieces, undecodable = decoded(exchange)
    if dialect is None:
        path = path_of(exchange.request) if exchange.request else ""
        dialect = choose(path, events_of(exchange, pieces), pieces)
    answer = _streamed(exchange, pieces, dialect, undecodable)
    if not answer.events and not _is_event_stream(headers, pieces):
        return _whole(pieces, dialect, undecodable)
    return answer


def _is_event_stream(headers: Headers, pieces: list[bytes]) -> bool:
    """Whether a body without a single event was meant to be a stream."""
    content_type = header(headers, b"content-type").lower()
    if "event-stream" in content_type:
        return not b"".join(pieces).lstrip().startswith((b"{", b"["))
    return is_lines(headers) or not any(pieces)


def _whole(pieces: list[bytes], dialect: Dialect, undecodable: str | None) -> Answer:
    """Return an answer that came in one: a JSON object, an error page."""
    choices: dict[int, Choice] = {}
    usage = model = error = None
    body = b"".join(pieces)
    for carried in dialect.read_answer(body):
        usage, model, error = carried.usage, carried.model, carried.error
        if carried.choice != NO_CHOICE:
            choices[carried.choice] = Choice(carried.finish, carried.own_usage, carried.text)
    return Answer(
        is_stream=False,
        dialect=dialect if choices else None,
        rows=Rows(),
        choices=choices,
        decoded_bytes=[len(piece) for piece in pieces],
        usage=usage,
        cached_tokens=usage.cached if usage else None,
        model=model,
        error=error,
        undecodable=undecodable,
    )


def _streamed(exchange: Exchange, pieces: list[bytes], dialect: Dialect, undecodable: str | None) -> Answer:
    decoder = decoder_of(exchange.response.headers if exchange.response else ())
    # This is once for each event of a cassette: what can be done for all of them at once is done so, and
    # what can be found out afterwards, from whole columns, is not asked here.
    found = list(events_of(exchange, pieces, decoder))
    rows_of = list(map(dialect.reader(), found))
    carried = list(chain.from_iterable(rows_of))
    if len(carried) == len(found):  # no event has more than one row, and none has fewer
        event_of = list(range(len(found)))
        read_of = [event.piece for event in found]
    else:
        event_of = [number for number, rows in enumerate(rows_of) for _ in rows]
        read_of = [found[number].piece for number in event_of]
    carries = [row.carries for row in carried]
    seen = set(carries)
    rows = Rows(
        event=event_of,
        read=read_of,
        choice=[row.choice for row in carried],
        carries=carries,
        text=[row.text for row in carried],
        billed=[
            NO_COUNT if (usage := row.usage) is None or (output := usage.output) is None else output
            for row in carried
        ]
        if _any(seen, USAGE)
        else [NO_COUNT] * len(carried),
    )
    bills = list(compress(range(len(carried)), with_any(carries, seen, USAGE)))
    return Answer(
        is_stream=True,
        dialect=dialect if found or dialect is not PLAIN_SSE else None,
        rows=rows,
        choices=_choices(rows.choice, carried, carries, seen),
        events=len(found),
        comments=decoder.comments,
        unparsed=sum(with_any(carries, seen, UNPARSED)) if _any(seen, UNPARSED) else 0,
        decoded_bytes=[len(piece) for piece in pieces],
        usage=carried[bills[-1]].usage if bills else None,
        usage_event=event_of[bills[-1]] if bills else -1,
        cached_tokens=_cached_tokens([carried[row].usage for row in (*bills[:1], *bills[-1:])]),
        model=next((row.model for row in carried if row.model), None),
        error=next((row.error for row in carried if row.error), None) if _any(seen, ERROR) else None,
        ended=_any(seen, DONE),
        undecodable=undecodable,
    )


def _cached_tokens(bills: list[Usage | None]) -> int | None:
    """Return the most that the first and the last bill say; providers put it in either."""
    return max((bill.cached for bill in bills if bill and bill.cached is not None), default=None)


def _any(masks: set[int], bits: int) -> bool:
    return any(mask & bits for mask in masks)


def _choices(
    numbers: list[int], carried: list[Carried], carries: list[int], seen: set[int]
) -> dict[int, Choice]:
    choices = {number: Choice() for number in set(numbers) if number != NO_CHOICE}
    for row in compress(carried, with_any(carries, seen, FINISH | OWN_USAGE)):
        if row.carries & FINISH and choices[row.choice].finish_reason is None:
            choices[row.choice].finish_reason = row.finish
        if row.carries & OWN_USAGE:
            choices[row.choice].usage = row.own_usage
    return choices


def with_any(carries: list[int], seen: set[int], bits: int) -> Iterator[bool]:
    """Return, for each mask, whether it has any of the bits. `seen` is the set of the masks.

    There are few different masks, and to look one up in a set is the fastest there is.
    """
    return map({mask for mask in seen if mask & bits}.__contains__, carries)
