"""`vllm`: the additions of vLLM's server to OpenAI's chunk.

Source: vLLM's protocol (`vllm/entrypoints/openai/protocol.py`, ChatCompletionStreamResponse,
ChatCompletionResponseStreamChoice and DeltaMessage).

A choice may say which token or text stopped it (`stop_reason`), and which tokens it brings. Reasoning is in
`delta.reasoning_content` in older versions, in `delta.reasoning` in newer ones. With
`stream_options.continuous_usage_stats` usage is in every chunk.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ARRAY, TEXT, FinishReason, Kind, Maybe

VLLM = openai_like(
    "vllm",
    "vLLM's protocol, ChatCompletionStreamResponse",
    marks=(("choices", "stop_reason"),),
    chunk={"prompt_token_ids": Maybe(ARRAY)},
    choice={
        "stop_reason": Maybe(Kind("a string or the number of a token", (str, int))),
        "token_ids": Maybe(ARRAY),
        "finish_reason": FinishReason(None),
    },
    delta={"reasoning_content": Maybe(TEXT), "reasoning": Maybe(TEXT)},
    usage_beside_choices=True,
)
