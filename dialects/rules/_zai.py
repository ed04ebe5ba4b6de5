"""`zai`: Z.ai's chunk, where it is not OpenAI's.

Source: the types of Z.ai's SDK (`z-ai-sdk-python`, `types/chat/chat_completion_chunk.py`).

There is no `object`, and a choice that has not finished need not have a `finish_reason`. Reasoning is in
`delta.reasoning_content`. Usage is a field of any chunk.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import OBJECT, TEXT, FinishReason, Maybe

ZAI = openai_like(
    "zai",
    "the types of Z.ai's SDK, the chat completion chunk",
    hosts=("api.z.ai", "open.bigmodel.cn"),
    choice={"finish_reason": FinishReason(None)},
    delta={"reasoning_content": Maybe(TEXT), "audio": Maybe(OBJECT)},
    optional=("object", "choices.finish_reason"),
    usage_beside_choices=True,
)
