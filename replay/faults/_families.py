"""How APIs tell of an error and of the end: what a fault has to say in the words of the API that it imitates.

The families are those whose shapes differ; whatever is none of them is told as OpenAI's chat API tells it,
in an event that is called `error`. What is said names tokentape, so that nobody looks for it at the provider.
"""

import json
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import msgspec

from tokentape.cassette import ServerSentEvent
from tokentape.dialects import choose

Family: TypeAlias = Literal["openai", "anthropic", "responses", "plain"]

_OPENAI = ("openai-chat", "openai-completions")
_DONE_TYPES = ("message_stop", "response.completed", "response.incomplete", "message-end", "done")
_OPENAI_TYPES = {401: "invalid_request_error", 403: "invalid_request_error", 429: "rate_limit_error"}
_OPENAI_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}


def family_of(path: str, events: Sequence[ServerSentEvent] = ()) -> Family:
    """Return the family of an API, by its path or the first event of an answer."""
    first = events[0].event if events else ""
    if path.endswith("/messages") or first == "message_start":
        return "anthropic"
    if path.endswith("/responses") or first.startswith("response."):
        return "responses"
    return "openai" if choose(path, events).name in _OPENAI else "plain"


def error_body(family: Family, status: int, said: str) -> bytes:
    """Return the JSON that an API answers an error status with."""
    if family == "anthropic":
        kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
        return _json(_anthropic(said, kind))
    kind = _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return _json(_openai(said, kind, _OPENAI_CODES.get(status)))


def error_event(family: Family, said: str) -> bytes:
    """Return the event by which an API says in a stream that it cannot go on."""
    match family:
        case "openai":
            return b"data: %b\n\n" % _json(_openai(said, "server_error", "server_error"))
        case "anthropic":
            error = _anthropic(said, "overloaded_error")
        case "responses":
            error = {"type": "error", "code": "server_error", "message": said, "param": None}
        case "plain":
            error = _openai(said, "server_error", "server_error")
    return b"event: error\ndata: %b\n\n" % _json(error)


def error_line(said: str) -> bytes:
    """Return the line that tells so in NDJSON, as Ollama writes it."""
    return _json({"error": said}) + b"\n"


def is_done(event: ServerSentEvent, *, lines: bool) -> bool:
    """Whether an event, or a line of NDJSON, says that all has come."""
    if lines:
        try:
            value: Any = msgspec.json.decode(event.data)
        except (msgspec.DecodeError, RecursionError):
            return False
        return isinstance(value, dict) and value.get("done") is True
    return event.data.strip() == b"[DONE]" or event.event in _DONE_TYPES


def _openai(said: str, kind: str, code: str | None) -> dict[str, Any]:
    return {"error": {"message": said, "type": kind, "param": None, "code": code}}


def _anthropic(said: str, kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": said}}


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()
