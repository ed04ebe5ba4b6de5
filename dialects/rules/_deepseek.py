"""`deepseek`: DeepSeek's additions to OpenAI's chunk.

Source: "Create chat completion" of DeepSeek's API reference (api-docs.deepseek.com,
`api/create-chat-completion`) and its guides "Reasoning model" and "Context caching".

Reasoning is in `delta.reasoning_content`. Usage says which tokens of the prompt were in the cache, and comes
in the chunk that finishes the choice. A choice may finish with `insufficient_system_resource`. While a
request waits, comments keep its connection alive.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import COUNT, TEXT, FinishReason, Maybe

_REASONS = ("stop", "length", "content_filter", "tool_calls", "insufficient_system_resource")

DEEPSEEK = openai_like(
    "deepseek",
    "DeepSeek's API reference, create chat completion",
    hosts=("api.deepseek.com",),
    choice={"finish_reason": FinishReason(None, _REASONS)},
    delta={"reasoning_content": Maybe(TEXT)},
    usage={"prompt_cache_hit_tokens": COUNT, "prompt_cache_miss_tokens": COUNT},
    usage_beside_choices=True,
)
