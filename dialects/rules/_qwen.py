"""`qwen`: the additions of Alibaba's compatible mode to OpenAI's chunk.

Source: "OpenAI compatible - Chat" and "Streaming output" of the documentation of Alibaba Cloud Model Studio
(alibabacloud.com, `help/en/model-studio/compatibility-of-openai-with-dashscope`).

Reasoning is in `delta.reasoning_content`. All else is as in OpenAI's chunk.
"""

from tokentape.dialects.rules._openai_like import openai_like
from tokentape.dialects.rules._shape import TEXT, Maybe

QWEN = openai_like(
    "qwen",
    "Alibaba Cloud Model Studio's documentation, OpenAI compatible chat",
    hosts=(
        "dashscope.aliyuncs.com",
        "dashscope-intl.aliyuncs.com",
        "dashscope-us.aliyuncs.com",
        "maas.aliyuncs.com",
    ),
    delta={"reasoning_content": Maybe(TEXT)},
)
