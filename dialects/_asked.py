"""What a request asks, as people read it: who says what, then the settings.

The shapes are those of the APIs that tokentape knows of: `messages` (OpenAI, Anthropic, Ollama), `input`
and `instructions` (OpenAI's responses), `contents` (Gemini), `prompt`. A body of another shape is shown
whole.
"""

from collections.abc import Iterator
from typing import Any

from tokentape.cassette import Request, UndecodableContent, request_body
from tokentape.dialects._body_text import body_text, json_text
from tokentape.dialects._json import dict_of, list_of, parse, text_of
from tokentape.dialects._layout import Row, rows

_SYSTEM = ("system", "instructions", "system_instruction", "systemInstruction")
_TURNS = ("messages", "input", "contents", "prompt")


def asked(request: Request) -> list[Row]:
    """Return the rows of a request's body; none if it has none."""
    try:
        body = request_body(request)
    except UndecodableContent as error:
        return [Row(None, "body", f"[{len(request.body):,} bytes that cannot be decoded: {error}]")]
    try:
        return _rows(body)
    except RecursionError:
        return [Row(None, "body", f"[{len(body):,} bytes of JSON that is nested too deeply to be shown]")]


def _rows(body: bytes) -> list[Row]:
    value = parse(body)
    found: list[Row] = []
    rest = dict(dict_of(value))
    for name in (*_SYSTEM, *_TURNS):
        if name not in rest:
            continue
        said = rest.pop(name)
        for role, text in [("system", _text(said))] if name in _SYSTEM else _turns(said):
            found += rows([(None, text)], role, width=None) or [Row(None, role, "")]
    if not found:
        return rows([(None, body_text(body))], "body", width=None)
    settings = [f"{name}: {json_text(setting, indent=None)}" for name, setting in rest.items()]
    return found + rows([(None, "\n".join(settings))], "settings", width=None)


def _turns(said: Any) -> Iterator[tuple[str, str]]:
    if type(said) is not list:
        yield "user", _text(said)
        return
    for turn in said:
        message = dict_of(turn)
        role = text_of(message.get("role")) or text_of(message.get("type")) or "user"
        calls = [_call(call) for call in list_of(message.get("tool_calls"))]
        content = message.get("content", message.get("parts"))
        text = _text(content) if content is not None else "" if calls else _text(turn)
        yield role, "\n".join(filter(None, [text, *calls]))


def _text(value: Any) -> str:
    """Return the text of a content: a string, a part, or a list of such."""
    if type(value) is str:
        return value
    if type(value) is list:
        return "\n".join([_text(item) for item in value])
    part = dict_of(value)
    if type(part.get("text")) is str:
        return text_of(part["text"])
    if type(part.get("parts")) is list:
        return _text(part["parts"])
    return json_text(value, indent=None)


def _call(call: Any) -> str:
    function = dict_of(dict_of(call).get("function"))
    name, arguments = text_of(function.get("name")), function.get("arguments")
    if not name:
        return json_text(call, indent=None)
    return f"{name} {arguments if type(arguments) is str else json_text(arguments, indent=None)}"
