"""Faults in when an answer comes. Nothing comes earlier than it was due, and the order stays."""

from dataclasses import replace

from tokentape.replay.faults._cutting import Cut, after_event, cut
from tokentape.replay.faults._effects import KeepaliveStall, Place
from tokentape.replay.faults._events import streamed
from tokentape.replay.faults._unframed import Unframed
from tokentape.replay.timing._pacer import Part

_SECOND_NS = 1_000_000_000
_COMMENT = b": keep-alive\n\n"


def slow_start(answer: Unframed, span_ns: int) -> Unframed:
    """Let everything come so much later."""
    return replace(
        answer,
        head=_later(answer.head, span_ns),
        pieces=tuple(_later(part, span_ns) for part in answer.pieces),
        end=_later(answer.end, span_ns),
    )


def stalled(answer: Unframed, span_ns: int, place: Place) -> Unframed | None:
    """Let what comes after a place come so much later; None if nothing does."""
    found = cut(answer, place)
    if found is None:
        return None
    ends = answer.framing or answer.ending != "open"  # else nobody sees when it ends
    return _resumed(found, span_ns) if found.after or not found.begun or ends else None


def stalled_with_comments(answer: Unframed, fault: KeepaliveStall) -> Unframed | None:
    """Let comments come for a while after an event: one a second, or three in all in less than two."""
    events = streamed(answer)
    found = after_event(events, fault.event) if events and not events.lines else None
    if events is None or found is None:
        return None
    every_ns = _SECOND_NS if fault.span_ns >= 2 * _SECOND_NS else max(fault.span_ns // 4, 1)
    times = range(found.at_ns + every_ns, found.at_ns + fault.span_ns, every_ns)
    comments = [(due_ns, _COMMENT) for due_ns in times]
    if comments and (rest := events.rest_of(fault.event)):
        comments[0] = (comments[0][0], rest + _COMMENT)
    resumed = _resumed(found, fault.span_ns)
    after = resumed.pieces[len(found.before) :]
    return replace(resumed.chunked(), pieces=(*found.before, *comments, *after))


def _resumed(found: Cut, span_ns: int) -> Unframed:
    answer = found.answer
    return replace(
        answer,
        head=answer.head if found.begun else _later(answer.head, span_ns),
        pieces=(*found.before, *(_later(part, span_ns) for part in found.after)),
        end=_later(answer.end, span_ns),
    )


def _later(part: Part, span_ns: int) -> Part:
    return part[0] + span_ns, part[1]
