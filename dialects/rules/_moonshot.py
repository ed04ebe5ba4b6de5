"""`moonshot`: Moonshot's additions to OpenAI's chunk.

Source: "Use the streaming feature of the Kimi API" and the chat API of Moonshot's documentation
(platform.kimi.ai, `docs/guide/utilize-the-streaming-output-feature-of-kimi-api`), and its guide to the
thinking models.

Reasoning is in `delta.reasoning_content`. Usage is in the choice, in the chunk that finishes it, and with
`stream_options.include_usage` in a chunk of its own as well; it says how many tokens were in the cache.
"""

from tokentape.dialects.rules._openai_chat import USAGE
from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import COUNT, TEXT, Fields, Maybe

_CACHED = {"cached_tokens": COUNT}

MOONSHOT = openai_like(
    "moonshot",
    "Moonshot's documentation, the streaming feature of the Kimi API",
    hosts=("api.moonshot.ai", "api.moonshot.cn"),
    marks=(("choices", "usage"),),
    choice={"usage": Maybe(Fields(USAGE.has, {**USAGE.may, **_CACHED}))},
    delta={"reasoning_content": Maybe(TEXT)},
    usage=_CACHED,
)
