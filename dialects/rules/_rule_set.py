"""A rule set: one provider's documented stream, said as data."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import Dialect
from tokentape.dialects.rules._rule import Rule
from tokentape.dialects.rules._shape import Shape

DONE_LINE = "[DONE]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Framing:
    """What a document says of the lines of an event stream beyond the standard."""

    space_after_data: bool = False
    no_comments: bool = False
    named: Literal["", "never", "as-type"] = ""
    """Whether events have a name (`event:`), and if so, whether it is the `type` in their JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndMark:
    """The event that ends a stream. `then`: the data of an event that may come after it."""

    words: str
    is_end: Callable[[ServerSentEvent, Any], bool]
    then: str = ""


def done_line(event: ServerSentEvent, value: Any) -> bool:  # noqa: ARG001  (an `is_end`)
    """Whether an event is `data: [DONE]`."""
    return event.data.strip() == DONE_LINE.encode()


def typed(*types: str) -> Callable[[ServerSentEvent, Any], bool]:
    """Return whether an event is a JSON object of one of these types."""

    def is_end(event: ServerSentEvent, value: Any) -> bool:  # noqa: ARG001  (an `is_end`)
        return type(value) is dict and value.get("type") in types

    return is_end


DONE_MARK = EndMark(words="data: [DONE]", is_end=done_line)


@dataclass(frozen=True, slots=True, kw_only=True)
class Apart:
    """Events with a shape of their own, which say nothing of the answer: no other rule looks at them."""

    is_apart: Callable[[dict[str, Any]], bool]
    chunk: Shape


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleSet:
    """What a provider's document says of a stream.

    `source` names the document. `dialect` reads the text, the finish and the errors in an event. `chunk` is
    the shape of every event that is an object and no error, and not one of those `apart`. `hosts` are the
    provider's: names of machines, or of domains that they are in. `marks` are paths of fields that no other
    provider's chunks have; a path goes into every item of an array.
    """

    name: str
    source: str
    dialect: Dialect
    chunk: Shape
    rules: tuple[Rule, ...]
    end_mark: EndMark | None
    framing: Framing = Framing()
    apart: Apart | None = None
    hosts: tuple[str, ...] = ()
    marks: tuple[tuple[str, ...], ...] = ()
