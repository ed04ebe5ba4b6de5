"""`xai`: xAI's additions to OpenAI's chunk.

Source: the chat completions of xAI's API reference (docs.x.ai, `docs/api-reference`), its example, and its
guides "Reasoning" and "Live search".

Reasoning is in `delta.reasoning_content`; its tokens are part of the total and not of `completion_tokens`.
A chunk may say what was read (`citations`), and usage how many sources that were and what the answer cost.
A choice that has not finished need not have a `finish_reason`.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ARRAY, COUNT, TEXT, Maybe

XAI = openai_like(
    "xai",
    "xAI's API reference, chat completions",
    hosts=("api.x.ai",),
    chunk={"citations": Maybe(ARRAY)},
    delta={"reasoning_content": Maybe(TEXT)},
    usage={"num_sources_used": COUNT, "cost_in_usd_ticks": COUNT},
    optional=("choices.finish_reason",),
    reasoning_is_apart=True,
)
