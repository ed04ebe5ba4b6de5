"""Which rule set a recorded stream is held against: by its host, its model, its shape, else its dialect."""

from collections.abc import Iterable, Sequence

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import Dialect
from tokentape.dialects._json import dict_of, list_of, parse, text_of
from tokentape.dialects.rules._anthropic_messages import ANTHROPIC_MESSAGES
from tokentape.dialects.rules._cohere import COHERE
from tokentape.dialects.rules._gemini import GEMINI
from tokentape.dialects.rules._ollama import OLLAMA
from tokentape.dialects.rules._openai_chat import OPENAI_CHAT
from tokentape.dialects.rules._openai_relay import OPENAI_RELAY
from tokentape.dialects.rules._openai_responses import OPENAI_RESPONSES
from tokentape.dialects.rules._rule_set import RuleSet
from tokentape.dialects.rules._stepfun import STEPFUN

RULE_SETS: dict[str, RuleSet] = {
    rules.name: rules
    for rules in (
        STEPFUN,
        OPENAI_RELAY,
        OPENAI_CHAT,
        OPENAI_RESPONSES,
        ANTHROPIC_MESSAGES,
        GEMINI,
        COHERE,
        OLLAMA,
    )
}
"""Every rule set by its name."""

_STEPFUN_HOSTS = ("stepfun.com", "stepfun.ai")
_RELAY_FIELDS = {"id", "object", "created", "model", "system_fingerprint", "choices"}
_OPENAI_HOSTS = ("api.openai.com", "openai.azure.com")


def choose_rules(
    dialect: Dialect, events: Sequence[ServerSentEvent], *, host: str = "", models: Iterable[str] = ()
) -> tuple[RuleSet | None, str]:
    """Return the rule set of a stream, None if there is none for its dialect, and what it was chosen by.

    `models` are those that were asked for and that answered.
    """
    if dialect.name != OPENAI_CHAT.name:
        return RULE_SETS.get(dialect.name), "dialect"
    if _is_below(host, _STEPFUN_HOSTS):
        return STEPFUN, "host"
    if any(model.startswith("step-") for model in models):
        return STEPFUN, "model"
    if _is_below(host, _OPENAI_HOSTS):
        return OPENAI_CHAT, "host"
    return (OPENAI_RELAY, "shape") if _is_relayed(events) else (OPENAI_CHAT, "dialect")


def _is_below(host: str, names: Iterable[str]) -> bool:
    host = host.lower().rstrip(".")
    return any(host == name or host.endswith(f".{name}") for name in names)


def _is_relayed(events: Sequence[ServerSentEvent]) -> bool:
    """Whether the first chunk is as the relay's document has it, field for field, and no usage comes."""
    first = dict_of(parse(events[0].data)) if events else {}
    deltas = [dict_of(choice).get("delta") for choice in list_of(first.get("choices"))]
    if set(first) != _RELAY_FIELDS or not text_of(first["system_fingerprint"]):
        return False
    if not deltas or any(delta != {"role": "assistant", "content": ""} for delta in deltas):
        return False
    return not any(b'"usage"' in event.data for event in events)
