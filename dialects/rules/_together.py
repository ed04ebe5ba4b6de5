"""`together`: Together's additions to OpenAI's chunk.

Source: the types of Together's SDK (`together-py`, `types/chat/chat_completion_chunk.py`), which are made
from its OpenAPI description.

A delta says which token it is, a choice which seed it had, and either may finish with `eos`.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ANY, ARRAY, COUNT, FinishReason, Maybe

TOGETHER = openai_like(
    "together",
    "the types of Together's SDK, the chat completion chunk",
    hosts=("api.together.xyz", "api.together.ai"),
    chunk={"warnings": Maybe(ARRAY)},
    choice={
        "seed": Maybe(COUNT),
        "logprobs": ANY,
        "finish_reason": FinishReason(None, ("stop", "eos", "length", "tool_calls", "function_call")),
    },
    delta={"token_id": Maybe(COUNT)},
)
