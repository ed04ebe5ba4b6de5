"""`cohere`: the events of Cohere's chat API, version 2.

Source: "A Guide to Streaming Responses" and "Streaming for tool use" of Cohere's documentation
(docs.cohere.com, `docs/streaming`, `docs/tool-use-streaming`), and the types of its SDK.

An event's name is the `type` in its JSON. `message-start` comes first, `message-end` with the finish reason
and the usage last; `data: [DONE]`, which the SDK waits for, may follow it. Content, tool calls and
citations begin, go on and end.
"""

from tokentape.dialects._cohere import Cohere
from tokentape.dialects.rules._choices import Finishes
from tokentape.dialects.rules._order import Blocks, Stage, Stages
from tokentape.dialects.rules._rule_set import DONE_LINE, EndMark, Framing, RuleSet, typed
from tokentape.dialects.rules._shape import (
    ANY,
    COUNT,
    NUMBER,
    OBJECT,
    TEXT,
    Fields,
    FinishReason,
    OneOf,
    Shape,
    Tagged,
)


def _delta(inner: dict[str, Shape]) -> dict[str, Shape]:
    return {"delta": Fields(has={"message": Fields(has=inner, open=True)})}


_INDEX: dict[str, Shape] = {"index": COUNT}
_FUNCTION = Fields(may={"name": TEXT, "arguments": TEXT})
_TOKENS = {"input_tokens": NUMBER, "output_tokens": NUMBER}
_END = Fields(
    has={
        "finish_reason": FinishReason(
            None, ("COMPLETE", "STOP_SEQUENCE", "MAX_TOKENS", "TOOL_CALL", "ERROR", "TIMEOUT")
        )
    },
    may={
        "error": TEXT,
        "usage": Fields(
            may={
                "billed_units": Fields(may={**_TOKENS, "search_units": NUMBER, "classifications": NUMBER}),
                "tokens": Fields(may=_TOKENS),
                "cached_tokens": NUMBER,
            }
        ),
    },
)
_INSIDE = (
    "tool-plan-delta", "content-start", "content-delta", "content-end", "tool-call-start", "tool-call-delta",
    "tool-call-end", "citation-start", "citation-end",
)  # fmt: skip

COHERE = RuleSet(
    name="cohere",
    source="Cohere's documentation, streaming responses and streaming for tool use",
    dialect=Cohere(),
    chunk=Tagged(
        "type",
        {
            "message-start": Fields(has=_delta({"role": OneOf(("assistant",))}), may={"id": TEXT}),
            "tool-plan-delta": Fields(has=_delta({"tool_plan": TEXT}), may=_INDEX),
            "content-start": Fields(
                has=_INDEX
                | _delta(
                    {
                        "content": Fields(
                            has={"type": OneOf(("text", "thinking"))}, may={"text": TEXT, "thinking": TEXT}
                        )
                    }
                )
            ),
            "content-delta": Fields(
                has=_INDEX | _delta({"content": Fields(may={"text": TEXT, "thinking": TEXT})}),
                may={"logprobs": ANY},
            ),
            "content-end": Fields(has=_INDEX),
            "tool-call-start": Fields(
                has=_INDEX
                | _delta(
                    {
                        "tool_calls": Fields(
                            has={"id": TEXT, "type": OneOf(("function",)), "function": _FUNCTION}
                        )
                    }
                )
            ),
            "tool-call-delta": Fields(
                has=_INDEX | _delta({"tool_calls": Fields(has={"function": _FUNCTION})})
            ),
            "tool-call-end": Fields(has=_INDEX),
            "citation-start": Fields(has=_INDEX | _delta({"citations": OBJECT})),
            "citation-end": Fields(has=_INDEX),
            "message-end": Fields(has={"delta": _END}, may={"id": TEXT}),
            "debug": Fields(open=True),
        },
    ),
    rules=(
        Stages(
            (
                Stage(("message-start",), once=True),
                Stage(_INSIDE, needed=False),
                Stage(("message-end",), once=True),
            )
        ),
        Blocks("content-start", "content-end", ("index",), ("content-delta",)),
        Blocks("tool-call-start", "tool-call-end", ("index",), ("tool-call-delta",)),
        Blocks("citation-start", "citation-end", ("index",)),
        Finishes(),
    ),
    end_mark=EndMark(words="message-end", is_end=typed("message-end"), then=DONE_LINE),
    framing=Framing(named="as-type"),
)
