"""What a rule over the events of a stream is: it is started once for each stream, and sees every event.

The invariant: rules keep no state of a stream, what they start does; so a rule set is data that any
number of streams, and processes, can share.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tokentape.dialects._carried import Carried
from tokentape.dialects.rules._finding import Finding


class Seen(NamedTuple):
    """An event that is a JSON object: its number from 1, that object, and what the dialect reads in it."""

    number: int
    value: dict[str, Any]
    carried: Sequence[Carried]


@dataclass(frozen=True, slots=True, kw_only=True)
class Over:
    """How a stream ended: the number of its last event, and whether the provider had its say to the end.

    `whole` is False where a client hung up, a recorder stopped or an error came: what is missing then is
    nobody's departure.
    """

    last: int
    whole: bool
    asked: dict[str, Any]
    """The JSON of the request, empty if it is not known."""


class Running(Protocol):
    """A rule at work on one stream."""

    def see(self, seen: Seen) -> Iterable[Finding]:
        """Return what the next event departs in; a finding may name an event before it."""

    def over(self, over: Over) -> Iterable[Finding]:
        """Return what only the end tells."""


class Rule(Protocol):
    """A rule of a rule set."""

    def start(self) -> Running:
        """Return the rule at work on a new stream."""


def at(value: Any, *names: str) -> Any:
    """Return what is at a path of fields, None where there is nothing."""
    for name in names:
        value = value.get(name) if type(value) is dict else None
    return value
