"""`ollama`: the lines of Ollama's own API, `/api/chat` and `/api/generate`.

Source: Ollama's API document (github.com/ollama/ollama, `docs/api.md`), "Generate a completion" and
"Generate a chat completion".

A line is an object with `model`, `created_at`, `done`, and `message` (chat) or `response` (generate). The
last has `done` true and the statistics; the reason is in some of the document's examples.
"""

from typing import Any

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._ollama import Ollama
from tokentape.dialects.rules._constancy import Unchanged
from tokentape.dialects.rules._rule_set import EndMark, RuleSet
from tokentape.dialects.rules._shape import (
    ARRAY,
    COUNT,
    FLAG,
    OBJECT,
    TEXT,
    Fields,
    FinishReason,
    Items,
    OneOf,
)

_STATISTICS = ("total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
               "eval_duration")  # fmt: skip
_MESSAGE = Fields(
    has={"role": OneOf(("assistant",))},
    may={
        "content": TEXT,
        "thinking": TEXT,
        "images": ARRAY,
        "tool_calls": Items(Fields(has={"function": OBJECT}, may={"id": TEXT})),
    },
)


def _is_done(event: ServerSentEvent, value: Any) -> bool:  # noqa: ARG001  (an `is_end`)
    return type(value) is dict and value.get("done") is True


OLLAMA = RuleSet(
    name="ollama",
    source="Ollama's API document",
    dialect=Ollama(),
    chunk=Fields(
        has={"model": TEXT, "created_at": TEXT, "done": FLAG},
        may={
            "message": _MESSAGE,
            "response": TEXT,
            "thinking": TEXT,
            "context": ARRAY,
            "done_reason": FinishReason(None, ("stop", "length", "load", "unload")),
            "logprobs": ARRAY,
            **dict.fromkeys(_STATISTICS, COUNT),
        },
    ),
    rules=(Unchanged("model-changes", ("model",)),),
    end_mark=EndMark(words='a line with "done": true', is_end=_is_done),
)
