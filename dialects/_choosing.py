"""Which dialect an answer is in: by the request's path or, if none claims that, by the first events."""

from collections.abc import Iterable, Sequence

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._anthropic_messages import AnthropicMessages
from tokentape.dialects._carried import Dialect
from tokentape.dialects._cohere import Cohere
from tokentape.dialects._gemini import Gemini
from tokentape.dialects._json import parse
from tokentape.dialects._ollama import Ollama
from tokentape.dialects._openai_chat import OpenAIChat
from tokentape.dialects._openai_completions import OpenAICompletions
from tokentape.dialects._openai_responses import OpenAIResponses
from tokentape.dialects._plain import PlainSSE

PLAIN_SSE: Dialect = PlainSSE()
# The order is that in which they are asked: a completion has `choices`, as has what the chat dialect claims.
_ALL: tuple[Dialect, ...] = (
    OpenAICompletions(),
    OpenAIChat(),
    OpenAIResponses(),
    AnthropicMessages(),
    Gemini(),
    Cohere(),
    Ollama(),
    PLAIN_SSE,
)
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
"""Every dialect by its name, the plain one last."""

_EVENTS_LOOKED_AT = 8


def named(name: str) -> Dialect:
    """Return the dialect of that name. Raises ValueError, with the names there are, if there is none."""
    try:
        return DIALECTS[name]
    except KeyError:
        raise ValueError(f"expected a dialect ({', '.join(DIALECTS)}), found {name!r}") from None


def choose_early(path: str, begun: Sequence[ServerSentEvent], *, last: bool) -> Dialect | None:
    """Return what `choose` will of the whole stream, by those events that have come; None if it is open yet.

    `last`: no more of them come.
    """
    dialect = choose(path, begun)
    return None if dialect is PLAIN_SSE and len(begun) < _EVENTS_LOOKED_AT and not last else dialect


def choose(path: str, events: Iterable[ServerSentEvent] = (), pieces: Iterable[bytes] = ()) -> Dialect:
    """Return the dialect of a request's path or, if none claims that, of the first events.

    `pieces` are the body: an answer without events may be one whole object.
    """
    for dialect in DIALECTS.values():
        if dialect.claims_path(path):
            return dialect
    found = [event.data for event, _ in zip(events, range(_EVENTS_LOOKED_AT), strict=False)]
    for data in found or [b"".join(pieces)]:
        value = parse(data)
        if type(value) is not dict:
            continue
        for dialect in DIALECTS.values():
            if dialect.claims(value):
                return dialect
    return PLAIN_SSE
