"""`anthropic-messages`: the events of Anthropic's messages API.

Source: "Streaming Messages" of Anthropic's documentation (docs.anthropic.com,
`docs/en/build-with-claude/streaming`) and the types of its SDKs, which are made from its OpenAPI description.

An event's name is the `type` in its JSON. `message_start`; then blocks, each `content_block_start`,
`content_block_delta`s and `content_block_stop`, one after the other and numbered from 0; one
`message_delta` or several, whose usage is cumulative; `message_stop`. `ping` may come at any time, as may
`error`. The document says that new types of events may be added: those are told of, since a client may not
know them. What is inside a block that is no text, thinking or tool call is not looked at.
"""

from tokentape.dialects._anthropic_messages import AnthropicMessages
from tokentape.dialects.rules._choices import Finishes
from tokentape.dialects.rules._constancy import Grows
from tokentape.dialects.rules._order import Blocks, Stage, Stages
from tokentape.dialects.rules._rule_set import EndMark, Framing, RuleSet, typed
from tokentape.dialects.rules._shape import (
    ARRAY,
    COUNT,
    OBJECT,
    TEXT,
    Fields,
    FinishReason,
    Maybe,
    OneOf,
    Tagged,
)

_STOP = FinishReason(
    None,
    (
        "end_turn",
        "max_tokens",
        "stop_sequence",
        "tool_use",
        "pause_turn",
        "refusal",
        "model_context_window_exceeded",
    ),
)
_COUNTS = {"cache_creation_input_tokens": Maybe(COUNT), "cache_read_input_tokens": Maybe(COUNT)}
_DETAILS = {"output_tokens_details": Maybe(OBJECT), "server_tool_use": Maybe(OBJECT)}
_MESSAGE = Fields(
    has={
        "id": TEXT,
        "type": OneOf(("message",)),
        "role": OneOf(("assistant",)),
        "model": TEXT,
        "content": ARRAY,
        "stop_reason": _STOP,
        "stop_sequence": Maybe(TEXT),
        "usage": Fields(
            has={"input_tokens": COUNT, "output_tokens": COUNT},
            may={
                **_COUNTS,
                **_DETAILS,
                "cache_creation": Maybe(OBJECT),
                "service_tier": Maybe(OneOf(("standard", "priority", "batch"))),
                "inference_geo": Maybe(TEXT),
            },
        ),
    },
    may={"container": Maybe(OBJECT), "stop_details": Maybe(OBJECT)},
)
_OPEN = Fields(open=True)
_TOOL = Fields(has={"id": TEXT, "name": TEXT, "input": OBJECT}, may={"caller": Maybe(OBJECT)})
_BLOCK = Tagged(
    "type",
    {
        "text": Fields(has={"text": TEXT}, may={"citations": Maybe(ARRAY)}),
        "thinking": Fields(has={"thinking": TEXT}, may={"signature": TEXT}),
        "redacted_thinking": Fields(has={"data": TEXT}),
        "tool_use": _TOOL,
        "server_tool_use": _TOOL,
        "web_search_tool_result": _OPEN,
        "web_fetch_tool_result": _OPEN,
        "code_execution_tool_result": _OPEN,
        "bash_code_execution_tool_result": _OPEN,
        "text_editor_code_execution_tool_result": _OPEN,
        "tool_search_tool_result": _OPEN,
        "container_upload": _OPEN,
    },
    "unknown-value",
)
_DELTA = Tagged(
    "type",
    {
        "text_delta": Fields(has={"text": TEXT}),
        "input_json_delta": Fields(has={"partial_json": TEXT}),
        "thinking_delta": Fields(has={"thinking": TEXT}),
        "signature_delta": Fields(has={"signature": TEXT}),
        "citations_delta": Fields(has={"citation": OBJECT}),
    },
    "unknown-value",
)
_MESSAGE_DELTA = Fields(
    has={
        "delta": Fields(
            has={"stop_reason": _STOP, "stop_sequence": Maybe(TEXT)},
            may={"container": Maybe(OBJECT), "stop_details": Maybe(OBJECT)},
        ),
        "usage": Fields(
            has={"output_tokens": COUNT}, may={**_COUNTS, **_DETAILS, "input_tokens": Maybe(COUNT)}
        ),
    }
)

ANTHROPIC_MESSAGES = RuleSet(
    name="anthropic-messages",
    source="Anthropic's documentation, streaming messages",
    dialect=AnthropicMessages(),
    chunk=Tagged(
        "type",
        {
            "message_start": Fields(has={"message": _MESSAGE}),
            "content_block_start": Fields(has={"index": COUNT, "content_block": _BLOCK}),
            "content_block_delta": Fields(has={"index": COUNT, "delta": _DELTA}),
            "content_block_stop": Fields(has={"index": COUNT}),
            "message_delta": _MESSAGE_DELTA,
            "message_stop": Fields(),
            "ping": Fields(),
        },
    ),
    rules=(
        Stages(
            (
                Stage(("message_start",), once=True),
                Stage(("content_block_start", "content_block_delta", "content_block_stop"), needed=False),
                Stage(("message_delta",)),
                Stage(("message_stop",), once=True),
            )
        ),
        Blocks("content_block_start", "content_block_stop", ("index",), ("content_block_delta",), alone=True),
        Grows("usage-decreases", ("usage", "output_tokens")),
        Finishes(),
    ),
    end_mark=EndMark(words="message_stop", is_end=typed("message_stop")),
    framing=Framing(named="as-type"),
)
