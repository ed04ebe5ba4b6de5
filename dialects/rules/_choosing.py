"""Which rule set a recorded stream is held against: by its host, its model, its shape, else its dialect."""

from collections.abc import Iterable, Sequence

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import Dialect
from tokentape.dialects._json import dict_of, list_of, parse, text_of
from tokentape.dialects.rules._anthropic_messages import ANTHROPIC_MESSAGES
from tokentape.dialects.rules._azure_openai import AZURE_OPENAI
from tokentape.dialects.rules._cerebras import CEREBRAS
from tokentape.dialects.rules._cohere import COHERE
from tokentape.dialects.rules._deepseek import DEEPSEEK
from tokentape.dialects.rules._gemini import GEMINI
from tokentape.dialects.rules._groq import GROQ
from tokentape.dialects.rules._llama_cpp import LLAMA_CPP
from tokentape.dialects.rules._mistral import MISTRAL
from tokentape.dialects.rules._moonshot import MOONSHOT
from tokentape.dialects.rules._ollama import OLLAMA
from tokentape.dialects.rules._openai_chat import OPENAI_CHAT
from tokentape.dialects.rules._openai_relay import OPENAI_RELAY
from tokentape.dialects.rules._openai_responses import OPENAI_RESPONSES
from tokentape.dialects.rules._openrouter import OPENROUTER
from tokentape.dialects.rules._qwen import QWEN
from tokentape.dialects.rules._rule_set import RuleSet
from tokentape.dialects.rules._stepfun import STEPFUN
from tokentape.dialects.rules._together import TOGETHER
from tokentape.dialects.rules._vllm import VLLM
from tokentape.dialects.rules._xai import XAI
from tokentape.dialects.rules._zai import ZAI

RULE_SETS: dict[str, RuleSet] = {
    rules.name: rules
    for rules in (
        STEPFUN,
        OPENAI_RELAY,
        OPENAI_CHAT,
        AZURE_OPENAI,
        CEREBRAS,
        DEEPSEEK,
        GROQ,
        LLAMA_CPP,
        MISTRAL,
        MOONSHOT,
        OPENROUTER,
        QWEN,
        TOGETHER,
        VLLM,
        XAI,
        ZAI,
        OPENAI_RESPONSES,
        ANTHROPIC_MESSAGES,
        GEMINI,
        COHERE,
        OLLAMA,
    )
}
"""Every rule set by its name."""

_RELAY_FIELDS = {"id", "object", "created", "model", "system_fingerprint", "choices"}
_FIRST, _LAST = 8, 3
"""How many events are looked at for the marks of a provider; some have theirs in the last chunk alone."""


def choose_rules(
    dialect: Dialect, events: Sequence[ServerSentEvent], *, host: str = "", models: Iterable[str] = ()
) -> tuple[RuleSet | None, str]:
    """Return the rule set of a stream, None if there is none for its dialect, and what it was chosen by.

    `models` are those that were asked for and that answered.
    """
    if dialect.name != OPENAI_CHAT.name:
        return RULE_SETS.get(dialect.name), "dialect"
    of_chat = [rules for rules in RULE_SETS.values() if rules.dialect.name == dialect.name]
    for rules in of_chat:
        if _is_below(host, rules.hosts):
            return rules, "host"
    if any(model.startswith("step-") for model in models):
        return STEPFUN, "model"
    looked_at = {id(event): event for event in (*events[:_FIRST], *events[-_LAST:])}
    values = [parse(event.data) for event in looked_at.values()]
    for rules in of_chat:
        if any(_has(value, mark) for mark in rules.marks for value in values):
            return rules, "shape"
    return (OPENAI_RELAY, "shape") if _is_relayed(events) else (OPENAI_CHAT, "dialect")


def _is_below(host: str, names: Iterable[str]) -> bool:
    host = host.lower().rstrip(".")
    return any(host == name or host.endswith(f".{name}") for name in names)


def _has(value: object, path: tuple[str, ...]) -> bool:
    """Whether a field is there, in any item of the arrays on its way."""
    if type(value) is list:
        return any(_has(item, path) for item in value[:_FIRST])
    if type(value) is not dict or path[0] not in value:
        return False
    return len(path) == 1 or _has(value[path[0]], path[1:])


def _is_relayed(events: Sequence[ServerSentEvent]) -> bool:
    """Whether the first chunk is as the relay's document has it, field for field, and no usage comes."""
    first = dict_of(parse(events[0].data)) if events else {}
    deltas = [dict_of(choice).get("delta") for choice in list_of(first.get("choices"))]
    if set(first) != _RELAY_FIELDS or not text_of(first["system_fingerprint"]):
        return False
    if not deltas or any(delta != {"role": "assistant", "content": ""} for delta in deltas):
        return False
    return not any(b'"usage"' in event.data for event in events)
