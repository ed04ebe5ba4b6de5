"""`cohere`: the events of Cohere's chat API, version 2.

A message is one choice. The plan that Cohere makes before it calls tools counts as reasoning. Usage has
two counts: what the model read and wrote (`tokens`) is taken, as in other dialects, and what is charged
(`billed_units`, which leaves out what Cohere adds) only if that is all there is.
"""

from collections.abc import Sequence
from typing import Any

from tokentape.dialects._carried import (
    CONTENT,
    DONE,
    ERROR,
    FINISH,
    NOTHING,
    REASONING,
    TOOL_CALL,
    USAGE,
    Carried,
    Read,
    Usage,
)
from tokentape.dialects._json import count_of, dict_of, list_of, parse, text_of
from tokentape.dialects._objects import failed, fault_of, reader_of

_TYPES = frozenset(
    ["message-start", "content-start", "content-delta", "tool-plan-delta", "tool-call-start", "message-end"]
)
_FAILED = ("ERROR", "TIMEOUT")


class Cohere:
    """Reads `message-start` to `message-end`, and the answer that is one whole message."""

    name = "cohere"
    counts_tokens = True

    def claims_path(self, path: str) -> bool:
        return path.rstrip("/").endswith("/v2/chat")

    def claims(self, value: dict[str, Any]) -> bool:
        kind = value.get("type")
        return type(kind) is str and kind in _TYPES

    def reader(self) -> Read:
        return reader_of(_read)

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        value = dict_of(parse(body))
        message = dict_of(value.get("message"))
        if not message:
            error = fault_of("error" if "message" in value else "", value)
            return NOTHING if error is None else failed(error)
        content = [dict_of(part) for part in list_of(message.get("content"))]
        calls = [_call(dict_of(call)) for call in list_of(message.get("tool_calls"))]
        reasoning = text_of(message.get("tool_plan")) + "".join(
            [text_of(part.get("thinking")) for part in content]
        )
        return (
            _ended(
                value, reasoning, "".join([text_of(part.get("text")) for part in content]), "".join(calls)
            ),
        )


def _read(event: str, value: dict[str, Any]) -> Sequence[Carried]:
    delta = dict_of(value.get("delta"))
    message = dict_of(delta.get("message"))
    match value.get("type"):
        case "content-delta" | "content-start":
            content = dict_of(message.get("content"))
            return (_said(text_of(content.get("thinking")), text_of(content.get("text")), ""),)
        case "tool-plan-delta":
            return (_said(text_of(message.get("tool_plan")), "", ""),)
        case "tool-call-start" | "tool-call-delta":
            return (_said("", "", _call(dict_of(message.get("tool_calls")))),)
        case "message-end":
            return (_ended(delta, "", "", ""),)
    error = fault_of(event, value)
    return NOTHING if error is None else failed(error)


def _said(reasoning: str, content: str, calls: str) -> Carried:
    carries = (REASONING if reasoning else 0) | (CONTENT if content else 0) | (TOOL_CALL if calls else 0)
    return Carried(0, carries, reasoning + content + calls)


def _call(call: dict[str, Any]) -> str:
    function = dict_of(call.get("function"))
    return text_of(function.get("name")) + text_of(function.get("arguments"))


def _ended(delta: dict[str, Any], reasoning: str, content: str, calls: str) -> Carried:
    said = _said(reasoning, content, calls)
    finish = text_of(delta.get("finish_reason")) or None
    usage = _usage(dict_of(delta.get("usage")))
    carries = said.carries | DONE | (FINISH if finish else 0) | (0 if usage is None else USAGE)
    error = None
    if finish in _FAILED or delta.get("error"):
        carries |= ERROR
        error = text_of(delta.get("error")) or f"finish_reason is {finish!r}"
    return Carried(0, carries, said.text, None, usage, finish, error=error)


def _usage(usage: dict[str, Any]) -> Usage | None:
    counts = dict_of(usage.get("tokens")) or dict_of(usage.get("billed_units"))
    prompt, output = count_of(counts.get("input_tokens")), count_of(counts.get("output_tokens"))
    cached = count_of(usage.get("cached_tokens"))
    return None if prompt is None and output is None else Usage(prompt, output, cached=cached)
