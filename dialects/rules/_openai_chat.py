"""`openai-chat`: OpenAI's chat-completion chunk.

Source: "The chat completion chunk object" of OpenAI's API reference (platform.openai.com,
`docs/api-reference/chat-streaming`) and the schema `CreateChatCompletionStreamResponse` of its OpenAPI
description, from which the types of its SDKs are made.

Every chunk has the same `id` and the same `created`. `choices` can be empty for the last chunk, which has
the usage, if `stream_options.include_usage` is set. `obfuscation` is there unless the request refuses it.
That the other chunks have a usage of null then is not checked: a field that says nothing misleads nobody.
"""

from tokentape.dialects._openai_chat import OpenAIChat
from tokentape.dialects.rules._choices import Finishes, RoleFirst, UsageAlone
from tokentape.dialects.rules._constancy import Grows, Total, Unchanged
from tokentape.dialects.rules._rule_set import DONE_MARK, RuleSet
from tokentape.dialects.rules._shape import (
    ARRAY,
    COUNT,
    NAME,
    OBJECT,
    SECONDS,
    TEXT,
    Fields,
    FinishReason,
    Items,
    Maybe,
    OneOf,
)

_FUNCTION = Fields(may={"name": TEXT, "arguments": TEXT})
CALL = Fields(
    has={"index": COUNT},
    may={"id": TEXT, "type": OneOf(("function",)), "function": _FUNCTION},
)
CALLS = Items(CALL)
LOGPROBS = Maybe(Fields(may={"content": Maybe(ARRAY), "refusal": Maybe(ARRAY)}))
FINISH = FinishReason(None, ("stop", "length", "tool_calls", "content_filter", "function_call"))
DELTA = Fields(
    may={
        "role": OneOf(("developer", "system", "user", "assistant", "tool")),
        "content": Maybe(TEXT),
        "refusal": Maybe(TEXT),
        "tool_calls": CALLS,
        "function_call": _FUNCTION,
    }
)
USAGE = Fields(
    has={"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
    may={"prompt_tokens_details": Maybe(OBJECT), "completion_tokens_details": Maybe(OBJECT)},
)
CHOICE = Fields(has={"index": COUNT, "delta": DELTA, "finish_reason": FINISH}, may={"logprobs": LOGPROBS})
CHUNK = Fields(
    has={
        "id": NAME,
        "object": OneOf(("chat.completion.chunk",), "object-name"),
        "created": SECONDS,
        "model": NAME,
        "choices": Items(CHOICE),
    },
    may={
        "service_tier": Maybe(OneOf(("auto", "default", "flex", "scale", "priority"))),
        "system_fingerprint": Maybe(TEXT),
        "usage": Maybe(USAGE),
        "obfuscation": TEXT,
        "moderation": Maybe(OBJECT),
    },
)

OPENAI_CHAT = RuleSet(
    name="openai-chat",
    source="OpenAI's API reference, the chat completion chunk object",
    hosts=("api.openai.com",),
    dialect=OpenAIChat(),
    chunk=CHUNK,
    rules=(
        Unchanged("id-changes", ("id",)),
        Unchanged("created-changes", ("created",)),
        Unchanged("model-changes", ("model",)),
        RoleFirst(),
        Finishes(),
        UsageAlone(),
        Grows("usage-decreases", ("usage", "completion_tokens")),
        Total(("usage",), "total_tokens", ("prompt_tokens", "completion_tokens")),
    ),
    end_mark=DONE_MARK,
)
