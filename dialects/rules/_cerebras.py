"""`cerebras`: Cerebras's additions to OpenAI's chunk.

Source: the types of Cerebras's SDK (`cerebras-cloud-sdk-python`, `types/chat/chat_completion.py`:
ChatChunkResponse), which are made from its OpenAPI description.

`time_info` says how long each part took, in seconds. Calls of tools need no `index`, and a choice that has
not finished no `finish_reason`. Usage is a field of any chunk. The description lets every object have more
fields: of those, `reasoning` in a delta is taken, and no other.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import OBJECT, TEXT, Maybe

CEREBRAS = openai_like(
    "cerebras",
    "the types of Cerebras's SDK, ChatChunkResponse",
    hosts=("api.cerebras.ai",),
    marks=(("time_info",),),
    chunk={"time_info": Maybe(OBJECT), "service_tier": Maybe(TEXT)},
    delta={"reasoning": Maybe(TEXT)},
    optional=("choices.finish_reason", "tool_calls.index"),
    usage_beside_choices=True,
)
