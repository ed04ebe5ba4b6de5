"""`groq`: Groq's additions to OpenAI's chunk.

Source: the types of Groq's SDK (`groq-python`, `types/chat/chat_completion_chunk.py` and
`types/completion_usage.py`), and "Service tiers" of its documentation (console.groq.com).

`x_groq` has Groq's id of the request in the first chunk, and the usage in the final one, which may be the one
that finishes the choice. Reasoning is in `delta.reasoning`, what compound systems did in
`delta.executed_tools`. Usage says how long each part took, in seconds.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import ARRAY, NUMBER, OBJECT, TEXT, Maybe, OneOf

_TIMES = ("queue_time", "prompt_time", "completion_time", "total_time")

GROQ = openai_like(
    "groq",
    "the types of Groq's SDK, the chat completion chunk",
    hosts=("api.groq.com",),
    marks=(("x_groq",),),
    chunk={
        "x_groq": Maybe(OBJECT),
        "service_tier": Maybe(OneOf(("auto", "on_demand", "flex", "performance"))),
    },
    delta={"reasoning": Maybe(TEXT), "executed_tools": Maybe(ARRAY), "annotations": Maybe(ARRAY)},
    usage={name: Maybe(NUMBER) for name in _TIMES},
    usage_beside_choices=True,
)
