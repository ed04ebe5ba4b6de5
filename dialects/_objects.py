"""Events whose data is a JSON object: what the dialects share that read one."""

from collections.abc import Callable, Sequence
from typing import Any

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._carried import END_MARK, ERROR, UNPARSED, Carried, Read
from tokentape.dialects._json import dict_of, parse, text_of

ReadObject = Callable[[str, dict[str, Any]], Sequence[Carried]]
"""Reads the object in an event of this type."""


def reader_of(read_object: ReadObject) -> Read:
    """Return a reader of events that hold an object each; `[DONE]` and what is no object is taken care of."""

    def read(event: ServerSentEvent) -> Sequence[Carried]:
        value = parse(event.data)
        if type(value) is dict:
            return read_object(event.event, value)
        return END_MARK if event.data.strip() == b"[DONE]" else without_object(event)

    return read


def without_object(event: ServerSentEvent) -> Sequence[Carried]:
    """Return what is known of an event without a JSON object; blank data says nothing, on purpose."""
    is_error = event.event == "error"
    text = event.text.strip()
    carries = (ERROR if is_error else 0) | (UNPARSED if text else 0)
    return (Carried(carries=carries, error=(text or "no message") if is_error else None),)


def fault_of(event: str, value: dict[str, Any]) -> str | None:
    """Return the message of the error that an object is, None if it is none."""
    fault = value.get("error")
    if not fault and event != "error" and value.get("type") != "error":
        return None
    return (
        text_of(dict_of(fault).get("message"))
        or text_of(fault)
        or text_of(value.get("message"))
        or text_of(dict_of(fault).get("type"))
        or "no message"
    )


def failed(message: str, *, model: str | None = None) -> Sequence[Carried]:
    """Return what an event carries that is an error and nothing else."""
    return (Carried(carries=ERROR, model=model, error=message),)
