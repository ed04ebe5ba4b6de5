"""`mistral`: Mistral's chunk, where it is not OpenAI's.

Source: the models of Mistral's SDK (`mistralai/client-python`, `docs/models`: CompletionChunk,
CompletionResponseStreamChoice, DeltaMessage, ToolCall, UsageInfo), which are made from its OpenAPI
description.

`object` and `created` may be missing. `content` is text, or an array of parts, some of them reasoning. Calls
of tools need no `index`. Usage is a field of any chunk, and may have more counts than are named.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ANY, ARRAY, COUNT, OBJECT, TEXT, FinishReason, Kind, Maybe

MISTRAL = openai_like(
    "mistral",
    "the models of Mistral's SDK, CompletionChunk",
    hosts=("api.mistral.ai",),
    choice={"finish_reason": FinishReason(None, ("stop", "length", "error", "tool_calls"))},
    delta={
        "content": Maybe(Kind("a string or an array of parts", (str, list))),
        "refs": ARRAY,
        "index": Maybe(COUNT),
        "tool_call_id": Maybe(TEXT),
        "metadata": Maybe(OBJECT),
    },
    usage={"prompt_audio_seconds": Maybe(ANY), "num_cached_tokens": COUNT},
    optional=("object", "created", "tool_calls.index"),
    usage_beside_choices=True,
)
