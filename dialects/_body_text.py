"""Bodies as people read them: JSON indented, text as it is, and of anything else what it is.

Nothing here raises, whatever the bytes are.
"""

import json
from hashlib import sha256
from typing import Any

from tokentape.dialects._json import parse

_LONGEST = 1_000  # characters of a string without white space, such as an image in base64
_VOLATILE = frozenset(
    ["created", "created_at", "createTime", "id", "request_id", "responseId", "response_id",
     "system_fingerprint", "tool_call_id", "tool_use_id", "call_id"]
)  # fmt: skip
"""Names of what differs each time the same request is answered in the same way."""


def body_text(body: bytes, *, comparable: bool = False) -> str:
    """Return a body as text. `comparable` leaves out what differs between two answers that say the same."""
    if not body:
        return ""
    value = parse(body)
    if type(value) in (dict, list):
        return json_text(value, comparable=comparable)
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = ""
    if not text or "\0" in text:
        return f"[{len(body):,} bytes that are no text, SHA-256 {sha256(body).hexdigest()[:16]}]"
    return text


def json_text(value: Any, *, indent: int | None = 2, comparable: bool = False) -> str:
    """Return a JSON value as text, with very long strings that are no sentences cut short."""
    try:
        value = _without_volatile(value) if comparable else value
        return json.dumps(_shortened(value), ensure_ascii=False, indent=indent, sort_keys=comparable)
    except RecursionError:
        return "[JSON that is nested too deeply to be shown]"


def _shortened(value: Any) -> Any:
    """Return a JSON value in which an image or a sound in a string is only named; unlike ones stay unlike."""
    match value:
        case str() if len(value) > _LONGEST and not any(map(str.isspace, value)):
            digest = sha256(value.encode("utf-8", "replace")).hexdigest()[:16]
            return f"{value[:40]}... [{len(value):,} characters, SHA-256 {digest}]"
        case list():
            return [_shortened(item) for item in value]
        case dict():
            return {key: _shortened(item) for key, item in value.items()}
        case _:
            return value


def _without_volatile(value: Any) -> Any:
    """Return a JSON value without ids, dates and fingerprints."""
    match value:
        case list():
            return [_without_volatile(item) for item in value]
        case dict():
            return {key: _without_volatile(item) for key, item in value.items() if key not in _VOLATILE}
        case _:
            return value
