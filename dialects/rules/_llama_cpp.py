"""`llama-cpp`: the additions of llama.cpp's server to OpenAI's chunk.

Source: the README of the server (`llama.cpp`, `tools/server/README.md`: "Timings and context usage" and
the option `--reasoning-format`).

A chunk may say how long the prompt and the answer took (`timings`). Reasoning is in
`delta.reasoning_content`.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import OBJECT, TEXT, Maybe

LLAMA_CPP = openai_like(
    "llama-cpp",
    "the README of llama.cpp's server",
    marks=(("timings",),),
    chunk={"timings": OBJECT},
    delta={"reasoning_content": Maybe(TEXT)},
)
