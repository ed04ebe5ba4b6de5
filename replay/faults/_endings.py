"""Faults that end an answer early: an error instead of it or within it, a closed or a reset connection."""

from dataclasses import replace
from http import HTTPStatus

from tokentape.replay._reply import Ending
from tokentape.replay.faults._choosing import Asked
from tokentape.replay.faults._cutting import cut
from tokentape.replay.faults._effects import ErrorEvent, Place, Status
from tokentape.replay.faults._events import streamed
from tokentape.replay.faults._families import error_body, error_event, error_line, family_of
from tokentape.replay.faults._unframed import LAST_CHUNK, Unframed

_PHRASES = {each.value: each.phrase for each in HTTPStatus} | {529: "Overloaded"}


def error_status(answer: Unframed, fault: Status, asked: Asked) -> Unframed:
    """Answer with an error when the recorded head would come; to HEAD without its body (RFC 9110, 9.3.2)."""
    body = error_body(family_of(asked.path), fault.status, f"tokentape: the fault {fault}")
    after = [] if fault.retry_after_s is None else [b"retry-after: %d" % fault.retry_after_s]
    lines = [
        b"HTTP/1.1 %d %b" % (fault.status, _PHRASES.get(fault.status, "").encode()),
        b"content-type: application/json",
        b"content-length: %d" % len(body),
        *after,
    ]
    due_ns = answer.head[0]
    return Unframed(
        head=(due_ns, b"\r\n".join([*lines, b"", b""])),
        pieces=((due_ns, body),) if asked.method != "HEAD" else (),
        end=(due_ns, b""),
        framing=b"",
    )


def ended_at(answer: Unframed, place: Place, ending: Ending) -> Unframed | None:
    """End the connection at a place, before the head has come if the place is a time before it."""
    found = cut(answer, place)
    if found is None:
        return None
    return replace(
        found.answer,
        head=found.answer.head if found.begun else (found.at_ns, b""),
        pieces=found.before,
        end=(found.at_ns, b""),
        ending=ending,
        framing=found.answer.framing if found.begun else b"",
    )


def error_within(answer: Unframed, fault: ErrorEvent, asked: Asked) -> Unframed | None:
    """Say in the stream that it cannot go on, and come to the end of the answer."""
    found = streamed(answer)
    place = cut(answer, Place("event", fault.event))
    if found is None or place is None:
        return None
    said = f"tokentape: the fault {fault}"
    family = family_of(asked.path, [located.event for located in found.events])
    error = error_line(said) if found.lines else error_event(family, said)
    return replace(
        place.answer.chunked(),
        pieces=(*place.before, (place.at_ns, error)),
        end=(place.at_ns, LAST_CHUNK),
        ending="open",
    )
