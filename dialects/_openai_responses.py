"""`openai-responses`: the events of OpenAI's responses API, and of those who speak like it (xAI).

A response is one choice, whatever items it is made of. Its text comes in `...delta` events, and once more
in `...done`, in the parts, in the items and in the last event: these copies are not read, but that a
`...done` without a delta before it is the text. A tool call's name comes with its item. What tools that ran
at the provider found is not generated text.

Reasoning comes as a summary (`response.reasoning_summary_text`) from models that do not show it: "While we
don't expose the raw reasoning tokens emitted by the model, you can view a summary"; what is billed as
`reasoning_tokens` is the former (https://platform.openai.com/docs/guides/reasoning, Reasoning summaries).
An item of reasoning without any is not shown at all. Where models show it, it is `response.reasoning_text`.
"""

from collections.abc import Sequence
from typing import Any

from tokentape.dialects._carried import (
    AUDIO,
    CONTENT,
    DONE,
    ERROR,
    FINISH,
    NOTHING,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    USAGE,
    WITHHELD,
    Carried,
    Read,
    Usage,
)
from tokentape.dialects._json import compact, count_of, dict_of, list_of, parse, text_of
from tokentape.dialects._objects import failed, fault_of, reader_of

# Where generated text is: the beginning of an event's type, its kind, and its key in the `done` event.
_TEXTS = {
    "response.output_text": (CONTENT, "text"),
    "response.reasoning_summary_text": (REASONING | WITHHELD, "text"),
    "response.reasoning_text": (REASONING, "text"),
    "response.refusal": (REFUSAL, "refusal"),
    "response.function_call_arguments": (TOOL_CALL, "arguments"),
    "response.custom_tool_call_input": (TOOL_CALL, "input"),
    "response.mcp_call_arguments": (TOOL_CALL, "arguments"),
    "response.code_interpreter_call_code": (TOOL_CALL, "code"),
    "response.audio.transcript": (AUDIO, "transcript"),
    "response.output_audio_transcript": (AUDIO, "transcript"),
}
_SOUNDS = ("response.audio.delta", "response.output_audio.delta")
_CALLS = ("function_call", "custom_tool_call", "mcp_call")
_ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


class OpenAIResponses:
    """Reads `response.created` to `response.completed`, and the answer that is one whole response."""

    name = "openai-responses"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:
        return path.rstrip("/").endswith("/responses")

    def claims(self, value: dict[str, Any]) -> bool:
        return value.get("object") == "response" or text_of(value.get("type")).startswith("response.")

    def reader(self) -> Read:
        return reader_of(_Response().read)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        value = dict_of(parse(body))
        if value.get("object") != "response":
            message = fault_of("", value)
            return NOTHING if message is None else failed(message)
        parts = [part for item in list_of(value.get("output")) for part in _item(dict_of(item))]
        return (_ended(value, "".join([text for _, text in parts]), _mask([kind for kind, _ in parts])),)


class _Response:
    """One response as it comes."""

    def __init__(self) -> None:
        self._begun: set[tuple[str, str]] = set()
        self._reasoned: set[str] = set()
        """The places of the items that have shown any reasoning."""

    def read(self, event: str, value: dict[str, Any]) -> Sequence[Carried]:
        kind = text_of(value.get("type")) or event
        name, _, step = kind.rpartition(".")
        if step in ("delta", "done") and name in _TEXTS:
            return self._text(name, step, value)
        if kind in _SOUNDS:
            return (Carried(0, AUDIO),) if text_of(value.get("delta")) else NOTHING
        if kind == "response.output_item.added":
            item = dict_of(value.get("item"))
            called = text_of(item.get("name")) if item.get("type") in _CALLS else ""
            self._reasoned.discard(_item_place(value))
            return (Carried(0, TOOL_CALL if called else 0, called),)
        if kind == "response.output_item.done" and dict_of(value.get("item")).get("type") == "reasoning":
            return (Carried(0, 0 if _item_place(value) in self._reasoned else WITHHELD),)
        if kind in _ENDS:
            return (_ended(dict_of(value.get("response"))),)
        if kind in ("response.created", "response.in_progress", "response.queued"):
            return (Carried(model=text_of(dict_of(value.get("response")).get("model")) or None),)
        message = fault_of(event, value)
        return NOTHING if message is None else failed(message)

    def _text(self, name: str, step: str, value: dict[str, Any]) -> Sequence[Carried]:
        kind, key = _TEXTS[name]
        part = (name, str([value.get(place) for place in _places(value)]))
        text = text_of(value.get("delta" if step == "delta" else key))
        if not text or (step == "done" and part in self._begun):
            return (Carried(0),)
        self._begun.add(part)
        if kind & REASONING:
            self._reasoned.add(_item_place(value))
        return (Carried(0, kind, text),)


def _places(value: dict[str, Any]) -> tuple[str, ...]:
    """Return what names the part that an event is of.

    GitHub Copilot gives each event of an item another `item_id`; the indices stay
    (https://github.com/BerriAI/litellm/issues/30071, https://github.com/vercel/ai/pull/18548).
    """
    if value.get("output_index") is None:
        return ("item_id", "content_index", "summary_index")
    return ("output_index", "content_index", "summary_index")


def _item_place(value: dict[str, Any]) -> str:
    """Return what names the item of an event, as in `_places`; another may begin before it is done."""
    index = value.get("output_index")
    if index is None:
        return text_of(value.get("item_id")) or text_of(dict_of(value.get("item")).get("id"))
    return str(index)  # whatever it is: a list could not be looked up


def _item(item: dict[str, Any]) -> list[tuple[int, str]]:
    """Return what an item of a whole response says, with the kind of each part."""
    match item.get("type"):
        case "message":
            parts = [dict_of(part) for part in list_of(item.get("content"))]
            texts = [(CONTENT, text_of(part.get("text"))) for part in parts]
            texts += [(REFUSAL, text_of(part.get("refusal"))) for part in parts]
        case "reasoning":
            parts = [dict_of(part) for part in list_of(item.get("summary"))]
            texts = [(REASONING | WITHHELD, text_of(part.get("text"))) for part in parts]
            parts = [dict_of(part) for part in list_of(item.get("content"))]
            texts += [(REASONING, text_of(part.get("text"))) for part in parts]
        case kind if kind in _CALLS:
            given = item.get("arguments") or item.get("input") or ""
            text = given if type(given) is str else compact(given)
            texts = [(TOOL_CALL, text_of(item.get("name")) + text)]
        case _:
            texts = []
    return [(kind, text) for kind, text in texts if text]


def _ended(response: dict[str, Any], text: str = "", kinds: int = 0) -> Carried:
    """Return what a response says of its end: finished by its status or, if known, why it is short."""
    status = text_of(response.get("status"))
    finish = text_of(dict_of(response.get("incomplete_details")).get("reason")) or status or "unknown"
    usage = _usage(dict_of(response.get("usage")))
    carries = kinds | DONE | (0 if usage is None else USAGE)
    model = text_of(response.get("model")) or None
    if status == "failed" or response.get("error"):
        message = fault_of("error", {"error": response.get("error")})
        return Carried(0, carries | ERROR, text, model, usage, error=message)
    return Carried(0, carries | FINISH, text, model, usage, finish)


def _usage(usage: dict[str, Any]) -> Usage | None:
    prompt, output = count_of(usage.get("input_tokens")), count_of(usage.get("output_tokens"))
    if prompt is None and output is None:
        return None
    return Usage(
        prompt,
        output,
        count_of(dict_of(usage.get("output_tokens_details")).get("reasoning_tokens")),
        count_of(dict_of(usage.get("input_tokens_details")).get("cached_tokens")),
    )


def _mask(kinds: Sequence[int]) -> int:
    found = 0
    for kind in kinds:
        found |= kind
    return found
