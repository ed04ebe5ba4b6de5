"""An answer as people read it: who said what, and when each event of it came."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tokentape.cassette import (
    Exchange,
    Request,
    ServerSentEvent,
    UndecodableContent,
    decoded,
    request_body,
)
from tokentape.dialects._carried import NO_CHOICE, TOKEN, Carried, Dialect, Usage, name_of
from tokentape.dialects._choosing import choose
from tokentape.dialects._framing import events_of
from tokentape.dialects._json import dict_of, parse, text_of


@dataclass(frozen=True, slots=True)
class Line:
    """One event of an answer, with what it carries and its time.

    `t` is when the piece that completed it arrived, in ns since the section's start.
    """

    t: int
    event: ServerSentEvent
    carried: Sequence[Carried]


class Said:
    """All that one choice said, and in `finish` why it ended, None if it did not say so."""

    def __init__(self) -> None:
        self.finish: str | None = None
        self._runs: list[tuple[str, list[str]]] = []

    @property
    def runs(self) -> list[tuple[str, str]]:
        """Runs of text, each with its kind before it.

        A kind is `content`, `reasoning`, `tool_call` and the like, or several joined with `+` where they came
        together and cannot be told apart.
        """
        return [(kind, "".join(texts)) for kind, texts in self._runs]

    def add(self, carried: Carried) -> None:
        """Append what an event carries."""
        if carried.text:
            kind = name_of(carried.carries & TOKEN)
            if self._runs and self._runs[-1][0] == kind:
                self._runs[-1][1].append(carried.text)
            else:
                self._runs.append((kind, [carried.text]))
        if carried.finish and self.finish is None:
            self.finish = carried.finish


@dataclass(slots=True)
class Transcript:
    """What an answer says. `lines` is empty for one that is no stream of events, `choices` need not be.

    `undecodable` says why, if its content-encoding could not be undone.
    """

    dialect: Dialect
    lines: list[Line] = field(default_factory=list)
    choices: dict[int, Said] = field(default_factory=dict)
    model: str | None = None
    usage: Usage | None = None
    error: str | None = None
    undecodable: str | None = None

    def add(self, carried: Carried) -> None:
        """Take in what an event carries."""
        if carried.choice != NO_CHOICE:
            self.choices.setdefault(carried.choice, Said()).add(carried)
        self.model = self.model or carried.model
        self.usage = carried.usage or self.usage
        self.error = self.error or carried.error


def transcript(exchange: Exchange, dialect: Dialect | None = None) -> Transcript:
    """Return what the answer of an exchange says; nothing in it makes this raise.

    It is read in the dialect given or else in the one that it looks like.
    """
    pieces, undecodable = decoded(exchange)
    if dialect is None:
        path = path_of(exchange.request) if exchange.request else ""
        dialect = choose(path, events_of(exchange, pieces), pieces)
    found = Transcript(dialect=dialect, undecodable=undecodable)
    read = dialect.reader()
    for event in events_of(exchange, pieces):
        carried = read(event)
        found.lines.append(Line(exchange.chunks[event.piece].t, event, carried))
        for each in carried:
            found.add(each)
    if not found.lines:
        for each in dialect.read_answer(b"".join(pieces)):
            found.add(each)
    return found


def path_of(request: Request) -> str:
    """Return the path of a request without its query, which may hold what should not be shown."""
    return request.path.partition(b"?")[0].decode("ascii", "backslashreplace")


def requested_model(request: Request) -> str | None:
    """Return the model that the request's body asks for, None if it names none."""
    try:
        body = request_body(request)
    except UndecodableContent:
        return None
    return text_of(dict_of(parse(body)).get("model")) or None
