"""How providers put a generation into events. A dialect turns an event into a `Carried`, and never raises.

A new dialect is a module beside these and a line in `DIALECTS`.
"""

from collections.abc import Iterable

from tokentape.analysis.dialects._carried import (
    AUDIO,
    CONTENT,
    DONE,
    ERROR,
    FINISH,
    NO_CHOICE,
    OWN_USAGE,
    REASONING,
    REFUSAL,
    TOKEN,
    TOOL_CALL,
    UNPARSED,
    USAGE,
    Carried,
    Dialect,
    Read,
    Usage,
    name_of,
)
from tokentape.analysis.dialects._openai_chat import OpenAIChat
from tokentape.analysis.dialects._plain import PlainSSE
from tokentape.cassette import ServerSentEvent

__all__ = [
    "AUDIO",
    "CONTENT",
    "DIALECTS",
    "DONE",
    "ERROR",
    "FINISH",
    "NO_CHOICE",
    "OWN_USAGE",
    "PLAIN_SSE",
    "REASONING",
    "REFUSAL",
    "TOKEN",
    "TOOL_CALL",
    "UNPARSED",
    "USAGE",
    "Carried",
    "Dialect",
    "Read",
    "Usage",
    "choose",
    "name_of",
    "named",
]

PLAIN_SSE: Dialect = PlainSSE()
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (OpenAIChat(), PLAIN_SSE)}
"""Every dialect by its name, the plain one last."""

_EVENTS_LOOKED_AT = 8


def named(name: str) -> Dialect:
    """Return the dialect of that name. Raises ValueError, with the names there are, if there is none."""
    try:
        return DIALECTS[name]
    except KeyError:
        raise ValueError(f"expected a dialect ({', '.join(DIALECTS)}), found {name!r}") from None


def choose(path: str, events: Iterable[ServerSentEvent] = ()) -> Dialect:
    """Return the dialect of a request's path or, if none claims that, of the first events."""
    for dialect in DIALECTS.values():
        if dialect.claims_path(path):
            return dialect
    for event, _ in zip(events, range(_EVENTS_LOOKED_AT), strict=False):
        for dialect in DIALECTS.values():
            if dialect.claims_event(event):
                return dialect
    return PLAIN_SSE
