"""From an exchange to what its answer says, event by event: bytes in, values out, no times and no metrics.

The invariant: every row names the read (the recorded piece) that completed its event, so that a time is
always the arrival of a piece and never something made up later. Rows are kept as parallel lists, which
the tables are made of without another object for each row.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import chain, islice, pairwise
from operator import or_

import numpy as np

from tokentape.analysis.measuring._columns import Ints, ints, joined, no_ints, occurring
from tokentape.analysis.measuring._whole_events import whole_events
from tokentape.cassette import Exchange, Headers, ServerSentEvent, SSEDecoder, decoded, header
from tokentape.dialects import (
    CONTENT,
    DONE,
    END_MARK,
    ERROR,
    FINISH,
    NO_CHOICE,
    OWN_USAGE,
    PLAIN_SSE,
    UNPARSED,
    USAGE,
    Carried,
    Contents,
    Dialect,
    ReadsLines,
    Usage,
    choose,
    decoder_of,
    events_of,
    is_lines,
    path_of,
)

NO_COUNT = -1
_BATCH = 4096
"""Events that are objects at a time; what is kept of them is in columns."""
_EDGE = 4
_LAST_WORDS = FINISH | OWN_USAGE | ERROR
_INTEGERS = ("event", "read", "choice", "carries", "billed")


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each event and choice in it; an event without a choice has one with `NO_CHOICE`."""

    event: Ints = field(default_factory=no_ints)
    read: Ints = field(default_factory=no_ints)
    choice: Ints = field(default_factory=no_ints)
    carries: Ints = field(default_factory=no_ints)
    text: Sequence[str] = ()
    billed: Ints = field(default_factory=no_ints)
    """Output tokens billed so far, as this event says, or `NO_COUNT`."""


@dataclass(slots=True)
class Choice:
    """What is known of a choice at its end. A choice that a stream never named is not there."""

    finish_reason: str | None = None
    usage: Usage | None = None
    text: str = ""
    """Only of an answer that was not streamed."""
    failed: bool = False
    """Whether an error came of this choice, or one of no choice before this one had finished."""


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
    decoded_bytes: Ints
    """How many bytes each read gave once its content-encoding was undone."""
    usage: Usage | None = None
    usage_row: int = -1
    """The last row with a usage of the whole exchange."""
    cached_tokens: int | None = None
    """Prompt tokens that came from the provider's cache, as billed."""
    model: str | None = None
    error: str | None = None
    ended: bool = False
    """Whether the end mark came."""
    undecodable: str | None = None
    overlooked: Mapping[int, int] = field(default_factory=dict)
    """The kinds of text in each choice that the tool whose definitions are asked for takes for no tokens."""

    def rows_of(self, choice: int) -> Rows:
        """Return the rows of a choice, and those of none, which are of all."""
        if len(self.choices) <= 1:
            return self.rows
        own = np.flatnonzero((self.rows.choice == choice) | (self.rows.choice == NO_CHOICE))
        columns = {name: getattr(self.rows, name)[own] for name in _INTEGERS}
        return Rows(**columns, text=[self.rows.text[row] for row in own.tolist()])


class _Found:
    """What was found in an answer, put together from one batch of events after another.

    So that an answer of a million events takes the memory of their columns, and not of objects for each.
    """

    def __init__(self) -> None:
        self.events = 0
        self.seen = 0
        """All masks of `carries`, together."""
        self.usage: Usage | None = None
        self.usage_row = -1
        self.cached: int | None = None
        """The most that any bill says; providers put cache hits in the first or the last."""
        self.model: str | None = None
        self.error: str | None = None
        self.last_words: list[Carried] = []
        """The rows that finish a choice, bill it by itself or have an error."""
        self._columns: dict[str, list[Ints]] = {name: [] for name in _INTEGERS}
        self.text: list[str] = []

    def add(self, carried: list[Sequence[Carried]], read: Ints) -> None:
        """Add events: what each carries, and the read that completed each."""
        rows = list(chain.from_iterable(carried))
        # This is once for each event of a cassette: what can be done for all of them at once is done so, and
        # what can be found out from a whole column is not asked of each row.
        if len(rows) == len(carried):  # no event has more than one row, and none has fewer
            event = np.arange(len(rows))
        else:
            event = np.repeat(np.arange(len(carried)), [len(each) for each in carried])
            read = read[event]
        carries = ints([row.carries for row in rows])
        seen = reduce(or_, occurring(carries), 0)
        if seen & USAGE:
            bills = np.flatnonzero(carries & USAGE).tolist()
            self.usage = rows[bills[-1]].usage
            self.usage_row = len(self.text) + bills[-1]
            usages = [row.usage for row in rows]
            billed = [
                NO_COUNT if usage is None or (output := usage.output) is None else output for usage in usages
            ]
            hits = [hit for usage in usages if usage is not None and (hit := usage.cached) is not None]
            if hits:
                self.cached = max(hits if self.cached is None else (self.cached, *hits))
        if self.model is None:
            self.model = next((row.model for row in rows if row.model), None)
        if self.error is None and seen & ERROR:
            self.error = next((row.error for row in rows if row.error), None)
        if seen & _LAST_WORDS:
            self.last_words += [rows[at] for at in np.flatnonzero(carries & _LAST_WORDS).tolist()]
        self.text += [row.text for row in rows]
        self._add(
            event=event + self.events,
            read=read,
            choice=ints([row.choice for row in rows]),
            carries=carries,
            billed=ints(billed) if seen & USAGE else np.full(len(rows), NO_COUNT),
        )
        self.seen |= seen
        self.events += len(carried)

    def add_contents(self, contents: Contents, read: Ints) -> None:
        """Add events that are content alone; the rest as in `add`."""
        size = len(read)
        carries = CONTENT
        if contents.usage is not None:
            carries |= USAGE
            self.usage, self.usage_row = contents.usage, len(self.text) + size - 1
        self.text += contents.text
        self._add(
            event=np.arange(self.events, self.events + size),
            read=read,
            choice=ints(contents.choice),
            carries=np.full(size, carries),
            billed=ints(contents.billed) if contents.usage is not None else np.full(size, NO_COUNT),
        )
        self.seen |= carries
        self.events += size

    def _add(self, **columns: Ints) -> None:
        for name, column in columns.items():
            self._columns[name].append(column)

    def rows(self) -> Rows:
        """Return the rows of all events."""
        return Rows(**{name: joined(parts) for name, parts in self._columns.items()}, text=self.text)


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
    usage = model = error = None
    body = b"".join(pieces)
    carried = dialect.read_answer(body)
    choices = {row.choice: Choice(text=row.text) for row in carried if row.choice != NO_CHOICE}
    for row in carried:
        usage, model, error = row.usage, row.model, row.error or error
    _take_last_words(choices, carried)
    return Answer(
        is_stream=False,
        dialect=dialect if choices else None,
        rows=Rows(),
        choices=choices,
        decoded_bytes=ints([len(piece) for piece in pieces]),
        usage=usage,
        cached_tokens=usage.cached if usage else None,
        model=model,
        error=error,
        undecodable=undecodable,
    )


def _streamed(exchange: Exchange, pieces: list[bytes], dialect: Dialect, undecodable: str | None) -> Answer:
    decoder = decoder_of(exchange.response.headers if exchange.response else ())
    sizes = ints([len(piece) for piece in pieces])
    found = _all_at_once(pieces, sizes, dialect) if type(decoder) is SSEDecoder else None
    if found is None:
        found = _one_by_one(events_of(exchange, pieces, decoder), dialect)
    rows = found.rows()
    return Answer(
        is_stream=True,
        dialect=dialect if found.events or dialect is not PLAIN_SSE else None,
        rows=rows,
        choices=_choices(rows.choice, found.last_words),
        events=found.events,
        comments=decoder.comments,
        unparsed=int(np.count_nonzero(rows.carries & UNPARSED)) if found.seen & UNPARSED else 0,
        decoded_bytes=sizes,
        usage=found.usage,
        usage_row=found.usage_row,
        cached_tokens=found.cached,
        model=found.model,
        error=found.error,
        ended=bool(found.seen & DONE),
        undecodable=undecodable,
    )


def _all_at_once(pieces: list[bytes], sizes: Ints, dialect: Dialect) -> _Found | None:
    """Return what `_one_by_one` does, in half of its time; None for an answer that has to be read by that."""
    if not isinstance(dialect, ReadsLines) or (whole := whole_events(pieces, sizes)) is None:
        return None
    found = _Found()
    for first, end in pairwise(_cuts(len(whole))):
        lines, read = whole.lines(first, end), whole.read[first:end]
        contents = dialect.read_contents(lines) if found.model is not None else None
        if contents is not None and len(contents.text) == len(read):
            found.add_contents(contents, read)
            continue
        try:
            carried = dialect.read_lines(lines)
        except ValueError:
            return None
        if len(carried) != len(read):
            return None
        found.add(carried, read)
    if whole.ended:
        found.add([END_MARK], whole.read[-1:])
    return found


def _cuts(events: int) -> list[int]:
    """Return where to cut an answer: what is not content alone is most often at its start and its end."""
    if events <= 4 * _EDGE:
        return [0, events]
    return [0, *range(_EDGE, events - _EDGE, _BATCH), events - _EDGE, events]


def _one_by_one(events: Iterator[ServerSentEvent], dialect: Dialect) -> _Found:
    found = _Found()
    read = dialect.reader()
    while batch := list(islice(events, _BATCH)):
        found.add(list(map(read, batch)), ints([event.piece for event in batch]))
    return found


def _choices(numbers: Ints, last_words: list[Carried]) -> dict[int, Choice]:
    found = [number + NO_CHOICE for number in occurring(numbers - NO_CHOICE)]
    choices = {number: Choice() for number in found if number != NO_CHOICE}
    _take_last_words(choices, last_words)
    return choices


def _take_last_words(choices: dict[int, Choice], rows: Iterable[Carried]) -> None:
    """Take in what finishes choices, bills them or is an error, in order.

    An error of no choice is one of those that have not finished, and of all if there are none: clients raise
    what they are told behind the last finish, too.
    """
    for row in rows:
        if row.choice == NO_CHOICE:
            if row.carries & ERROR:
                unfinished = [choice for choice in choices.values() if choice.finish_reason is None]
                for choice in unfinished or choices.values():
                    choice.failed = True
            continue
        choice = choices[row.choice]
        choice.failed |= bool(row.carries & ERROR)
        if row.carries & FINISH and choice.finish_reason is None:
            choice.finish_reason = row.finish
        if row.carries & OWN_USAGE:
            choice.usage = row.own_usage
