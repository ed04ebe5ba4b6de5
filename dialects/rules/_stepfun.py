"""`stepfun`: StepFun's chat-completion chunk.

Source: the page "Chat Completion streaming" of StepFun's API reference (platform.stepfun.com and
platform.stepfun.ai, `docs/.../api-reference/chat/streaming`), its table and its example.

Every chunk has `id`, `object`, `created` (in seconds), `model`, `choices` and `usage`. The table of the
Chinese page says that `object` is `chat.completion.trunk`, where its example, and the English page, say
`chat.completion.chunk`: either is taken. The table says that a role is always `assistant`, where the example
sends "": either is taken. The finish reason is "" until the last chunk of a choice, which has a `content` of
"". Usage is cumulative: it comes in every chunk, the prompt stays as it is, and what is completed grows with
the text. The example finishes with `stop`, and no list of reasons is given: `length`, `tool_calls` and
`content_filter`, which OpenAI has beside it, are taken too. Events are lines of `data: {...}` and no others.
"""

from tokentape.dialects._openai_chat import OpenAIChat
from tokentape.dialects.rules._choices import Finishes
from tokentape.dialects.rules._constancy import Grows, Total, Unchanged
from tokentape.dialects.rules._rule_set import DONE_MARK, Framing, RuleSet
from tokentape.dialects.rules._shape import COUNT, NAME, SECONDS, TEXT, Fields, FinishReason, Items, OneOf

_CALL = Fields(
    may={
        "index": COUNT,
        "id": TEXT,
        "type": OneOf(("function",)),
        "function": Fields(may={"name": TEXT, "arguments": TEXT}),
    }
)
_CHOICE = Fields(
    has={
        "index": COUNT,
        "delta": Fields(
            has={"role": OneOf(("", "assistant")), "content": TEXT},
            may={"reasoning": TEXT, "tool_calls": Items(_CALL)},
        ),
        "finish_reason": FinishReason("", ("stop", "length", "tool_calls", "content_filter")),
    }
)

STEPFUN = RuleSet(
    name="stepfun",
    source="StepFun's API reference, chat completion streaming",
    hosts=("stepfun.com", "stepfun.ai"),
    dialect=OpenAIChat(),
    chunk=Fields(
        has={
            "id": NAME,
            "object": OneOf(("chat.completion.chunk", "chat.completion.trunk"), "object-name"),
            "created": SECONDS,
            "model": NAME,
            "choices": Items(_CHOICE),
            "usage": Fields(
                has={"prompt_tokens": COUNT, "completion_tokens": COUNT, "total_tokens": COUNT},
                may={"cached_tokens": COUNT},
            ),
        }
    ),
    rules=(
        Unchanged("id-changes", ("id",)),
        Unchanged("model-changes", ("model",)),
        Grows("created-decreases", ("created",)),
        Unchanged("prompt-changes", ("usage", "prompt_tokens")),
        Grows("usage-decreases", ("usage", "completion_tokens"), with_text="usage-stands-still"),
        Total(("usage",), "total_tokens", ("prompt_tokens", "completion_tokens")),
        Finishes(last="empty-content"),
    ),
    end_mark=DONE_MARK,
    framing=Framing(space_after_data=True, no_comments=True, named="never"),
)
