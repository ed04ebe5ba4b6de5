"""Holds a stream against a rule set: events in, findings out, in the order of events.

The guarantee: no event makes it raise, and none makes it tell more than a hundred departures of itself.
What is missing at the end is a departure only if the provider had its say to the end: not after an error,
nor where a client hung up or a recorder stopped.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import ERROR
from tokentape.dialects._json import parse
from tokentape.dialects.rules._choices import choices_of
from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._lines import check_lines
from tokentape.dialects.rules._rule import Over, Seen
from tokentape.dialects.rules._rule_set import DONE_LINE, RuleSet
from tokentape.dialects.rules._shape import departures
from tokentape.dialects.rules._shown import cut, shown

_MOST_OF_AN_EVENT = 100
_LISTS_OF_CHOICES = ("choices", "candidates")
_strictly = msgspec.json.Decoder().decode


def check(
    events: Iterable[ServerSentEvent],
    rules: RuleSet,
    *,
    pieces: Sequence[bytes] = (),
    whole: bool = True,
    asked: dict[str, Any] | None = None,
) -> list[Finding]:
    """Return where a stream departs from the rules, sorted by event.

    `pieces` are the body of an event stream, for what its lines say; without them nothing is said of
    lines. `whole`: the provider ended it, rather than the client or the recorder. `asked` is the JSON of the
    request.
    """
    found = list(check_lines(pieces, rules.framing)) if pieces else []
    stream = _Stream(rules, whole=whole)
    for number, event in enumerate(events, 1):
        # All of them are asked for, so that every rule has seen the whole event.
        told = enumerate(stream.see(number, event))
        found += [finding for place, finding in told if place < _MOST_OF_AN_EVENT]
    found += stream.over(asked or {})
    return sorted(found, key=lambda finding: finding.event)


class _Stream:
    def __init__(self, rules: RuleSet, *, whole: bool) -> None:
        self._rules = rules
        self._running = [rule.start() for rule in rules.rules]
        self._read = rules.dialect.reader()
        self._whole = whole
        self._last = self._ended = 0
        self._failed = False

    def see(self, number: int, event: ServerSentEvent) -> Iterator[Finding]:
        self._last = number
        mark = self._rules.end_mark
        value, strict = _decoded(event.data)
        is_end = mark is not None and mark.is_end(event, value)
        if self._ended:
            if mark is None or event.data.strip() != mark.then.encode():
                expected = f"nothing after the end mark of event {self._ended}"
                yield Finding("after-end-mark", number, expected, _words(event, value))
            return
        if is_end:
            self._ended = number
        if type(value) is dict:
            yield from self._object(number, event, value, strict=strict)
        elif not is_end:
            yield from self._other(number, event, value)
        if not event.terminated and self._whole:
            yield Finding("cut-off", number, "a blank line after the event", "the end of the body")

    def _object(
        self, number: int, event: ServerSentEvent, value: dict[str, Any], *, strict: bool
    ) -> Iterator[Finding]:
        carried = self._read(event)
        fault = next((each.error for each in carried if each.carries & ERROR), None)
        if fault is not None:
            self._failed = True
            yield Finding("error-in-stream", number, "no error", cut(fault, 200))
            if "error" in value or "error" in (event.event, value.get("type")):
                return  # it has a shape of its own
        if not strict:
            yield Finding(
                "loose-json",
                number,
                "JSON that every decoder takes",
                "NaN, half a surrogate pair or the like",
            )
        yield from self._name(number, event, value)
        apart = self._rules.apart
        is_apart = apart is not None and apart.is_apart(value)
        shape = apart.chunk if apart is not None and is_apart else self._rules.chunk
        for code, path, expected, found in islice(departures(value, shape), _MOST_OF_AN_EVENT):
            yield Finding(code, number, expected, found, path, _choice_at(path, value))
        if is_apart:
            return
        seen = Seen(number, value, carried)
        for rule in self._running:
            yield from rule.see(seen)

    def _other(self, number: int, event: ServerSentEvent, value: Any) -> Iterator[Finding]:
        if event.event == "error":
            self._failed = True
            yield Finding("error-in-stream", number, "no error", cut(event.text, 200))
        elif event.data.strip() == DONE_LINE.encode():
            yield Finding("unknown-event", number, "no data: [DONE]", "data: [DONE]")
        elif value is not None or event.data.strip() == b"null":
            yield Finding("not-an-object", number, "a JSON object", shown(value))
        elif event.terminated or not self._whole:
            yield Finding("not-json", number, "a JSON object", _words(event, value))

    def _name(self, number: int, event: ServerSentEvent, value: dict[str, Any]) -> Iterator[Finding]:
        named = self._rules.framing.named
        kind = value.get("type")
        if named == "as-type" and type(kind) is str and event.event != kind:
            found = "no name" if event.event == "message" else shown(event.event)
            yield Finding("event-name", number, f"the event named {shown(kind)}, as its type", found)
        elif named == "never" and event.event != "message":
            yield Finding("event-name", number, "no name", shown(event.event))

    def over(self, asked: dict[str, Any]) -> Iterator[Finding]:
        whole = self._whole and not self._failed
        if not self._last:
            if whole:
                yield Finding("no-events", 0, "events", "none")
            return
        over = Over(last=self._last, whole=whole, asked=asked)
        for rule in self._running:
            yield from islice(rule.over(over), _MOST_OF_AN_EVENT)
        mark = self._rules.end_mark
        if mark is not None and not self._ended and whole:
            yield Finding("no-end-mark", self._last, mark.words, "the end of the body")


def _decoded(data: bytes) -> tuple[Any, bool]:
    """Return the JSON value in the data, None if there is none, and whether every decoder takes it."""
    try:
        return _strictly(data), True
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return parse(data), False


def _words(event: ServerSentEvent, value: Any) -> str:
    """Return an event in a few words."""
    if type(value) is dict:
        kind = value.get("type", value.get("object"))
        return f"an event {shown(kind)}" if type(kind) is str and kind else shown(value)
    return shown(event.data[:200].decode("utf-8", "replace")) if event.data.strip() else "no data"


def _choice_at(path: str, value: dict[str, Any]) -> int | None:
    """Return the number of the choice that a path is in."""
    for name in _LISTS_OF_CHOICES:
        head = f"$.{name}["
        if path.startswith(head):
            place = int(path[len(head) :].partition("]")[0])
            return next((number for at, number, _ in islice(choices_of(value, name), place, None)), None)
    return None
