"""`openrouter`: OpenRouter's additions to OpenAI's chunk.

Source: the API reference of OpenRouter (openrouter.ai, `docs/api-reference/overview` and
`docs/use-cases/usage-accounting`) and the models of its SDKs (ChatStreamingMessageChunk, ChatUsage).

A choice has the finish reason as the model's provider gave it, too, and a chunk says who that was. Reasoning
is in `delta.reasoning` and, with its kind, in `delta.reasoning_details`. Usage has what the answer cost.
One page says that usage comes with empty choices, another that it is in the last message: a last chunk
with an empty delta beside the usage is taken as well. Comments keep the connection alive.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ANY, ARRAY, FLAG, NUMBER, OBJECT, TEXT, FinishReason, Maybe

_REASONS = ("stop", "length", "tool_calls", "content_filter", "error")

OPENROUTER = openai_like(
    "openrouter",
    "OpenRouter's API reference, overview and usage accounting",
    hosts=("openrouter.ai",),
    marks=(("choices", "native_finish_reason"),),
    chunk={"provider": TEXT, "openrouter_metadata": OBJECT, "service_tier": Maybe(TEXT)},
    choice={"native_finish_reason": Maybe(TEXT), "finish_reason": FinishReason(None, _REASONS), "error": ANY},
    delta={"reasoning": Maybe(TEXT), "reasoning_details": Maybe(ARRAY)},
    usage={"cost": Maybe(NUMBER), "is_byok": FLAG, "cost_details": Maybe(OBJECT)},
    usage_beside_choices=True,
)
