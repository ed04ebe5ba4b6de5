"""`openai-responses`: the events of OpenAI's responses API.

Source: "Streaming events" of OpenAI's API reference (platform.openai.com,
`docs/api-reference/responses-streaming`) and the types of its SDKs, which are made from its OpenAPI
description.

An event's name is the `type` in its JSON, and its `sequence_number` increases. `response.created` comes
first; `response.completed`, `response.incomplete` or `response.failed` last, and no `[DONE]`. Items and
their parts begin with `...added` and end with `...done`. What is in the response, an item or a part is not
looked at.
"""

from tokentape.dialects._openai_responses import OpenAIResponses
from tokentape.dialects.rules._constancy import Grows, Unchanged
from tokentape.dialects.rules._order import Blocks, Stage, Stages
from tokentape.dialects.rules._rule_set import EndMark, Framing, RuleSet, typed
from tokentape.dialects.rules._shape import ARRAY, COUNT, OBJECT, TEXT, Fields, Shape, Tagged

_ENDS = ("response.completed", "response.incomplete", "response.failed")
_RESPONSE = ("response.created", "response.queued", "response.in_progress", *_ENDS)
_ITEM = ("response.output_item.added", "response.output_item.done")
_IN_ITEM: dict[str, dict[str, Shape]] = {
    "response.content_part.added": {"content_index": COUNT, "part": OBJECT},
    "response.content_part.done": {"content_index": COUNT, "part": OBJECT},
    "response.output_text.delta": {"content_index": COUNT, "delta": TEXT},
    "response.output_text.done": {"content_index": COUNT, "text": TEXT},
    "response.output_text.annotation.added": {"content_index": COUNT, "annotation": OBJECT},
    "response.refusal.delta": {"content_index": COUNT, "delta": TEXT},
    "response.refusal.done": {"content_index": COUNT, "refusal": TEXT},
    "response.reasoning_text.delta": {"content_index": COUNT, "delta": TEXT},
    "response.reasoning_text.done": {"content_index": COUNT, "text": TEXT},
    "response.reasoning_summary_part.added": {"summary_index": COUNT, "part": OBJECT},
    "response.reasoning_summary_part.done": {"summary_index": COUNT, "part": OBJECT},
    "response.reasoning_summary_text.delta": {"summary_index": COUNT, "delta": TEXT},
    "response.reasoning_summary_text.done": {"summary_index": COUNT, "text": TEXT},
    "response.function_call_arguments.delta": {"delta": TEXT},
    "response.function_call_arguments.done": {"arguments": TEXT},
    "response.custom_tool_call_input.delta": {"delta": TEXT},
    "response.custom_tool_call_input.done": {"input": TEXT},
    "response.mcp_call_arguments.delta": {"delta": TEXT},
    "response.mcp_call_arguments.done": {"arguments": TEXT},
    "response.code_interpreter_call_code.delta": {"delta": TEXT},
    "response.code_interpreter_call_code.done": {"code": TEXT},
}
_TOOLS = (
    *(f"response.code_interpreter_call.{step}" for step in ("in_progress", "interpreting", "completed")),
    *(f"response.file_search_call.{step}" for step in ("in_progress", "searching", "completed")),
    *(f"response.web_search_call.{step}" for step in ("in_progress", "searching", "completed")),
    *(
        f"response.image_generation_call.{step}"
        for step in ("in_progress", "generating", "partial_image", "completed")
    ),
    *(f"response.mcp_call.{step}" for step in ("in_progress", "completed", "failed")),
    *(f"response.mcp_list_tools.{step}" for step in ("in_progress", "completed", "failed")),
)
_AUDIO = tuple(f"response.audio{what}.{step}" for what in ("", ".transcript") for step in ("delta", "done"))
_NUMBERED: dict[str, Shape] = {"sequence_number": COUNT}
_PLACED: dict[str, Shape] = {**_NUMBERED, "output_index": COUNT, "item_id": TEXT}
_MORE: dict[str, Shape] = {"obfuscation": TEXT, "logprobs": ARRAY}

OPENAI_RESPONSES = RuleSet(
    name="openai-responses",
    source="OpenAI's API reference, streaming events of responses",
    dialect=OpenAIResponses(),
    chunk=Tagged(
        "type",
        {
            **{kind: Fields(has={**_NUMBERED, "response": OBJECT}) for kind in _RESPONSE},
            **{kind: Fields(has={**_NUMBERED, "output_index": COUNT, "item": OBJECT}) for kind in _ITEM},
            **{
                kind: Fields(has={**_PLACED, **fields}, may=_MORE, open=kind.endswith(".done"))
                for kind, fields in _IN_ITEM.items()
            },
            **{kind: Fields(has=_PLACED, open=True) for kind in _TOOLS},
            **{kind: Fields(has=_NUMBERED, open=True) for kind in _AUDIO},
        },
    ),
    rules=(
        Unchanged("id-changes", ("response", "id")),
        Grows("sequence-number", ("sequence_number",), strictly=True),
        Stages(
            (
                Stage(("response.created",), once=True),
                Stage(("response.queued", "response.in_progress"), needed=False),
                Stage((*_ITEM, *_IN_ITEM, *_TOOLS, *_AUDIO), needed=False),
                Stage(_ENDS, once=True),
            )
        ),
        Blocks(*_ITEM, ("output_index",), (*_IN_ITEM, *_TOOLS)),
        Blocks(
            "response.content_part.added",
            "response.content_part.done",
            ("output_index", "content_index"),
            tuple(
                f"response.{what}.{step}" for what in ("output_text", "refusal") for step in ("delta", "done")
            ),
        ),
        Blocks(
            "response.reasoning_summary_part.added",
            "response.reasoning_summary_part.done",
            ("output_index", "summary_index"),
            tuple(f"response.reasoning_summary_text.{step}" for step in ("delta", "done")),
        ),
    ),
    end_mark=EndMark(words=" or ".join(_ENDS), is_end=typed(*_ENDS)),
    framing=Framing(named="as-type"),
)
