"""Faults injected into a prepared answer, one after the other, each into what the one before it left.

Pure: an answer in, an answer out. Invariant: times never decrease, and an answer that no fault has hit is
the very one that came in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from tokentape.replay._reply import Ending
from tokentape.replay._wire import Answer
from tokentape.replay.faults._choosing import Asked
from tokentape.replay.faults._contents import doubled, garbled, without_done
from tokentape.replay.faults._effects import (
    DropDone,
    Dup,
    Effect,
    ErrorEvent,
    Garble,
    KeepaliveStall,
    Merge,
    Reset,
    SlowStart,
    Split,
    Stall,
    Status,
    Truncate,
)
from tokentape.replay.faults._endings import ended_at, error_status, error_within
from tokentape.replay.faults._events import unreadable
from tokentape.replay.faults._pieces import merged, split
from tokentape.replay.faults._times import slow_start, stalled, stalled_with_comments
from tokentape.replay.faults._unframed import Unframed, unframed

_SPOILING = (Status, Truncate, Reset, Garble, ErrorEvent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """An answer as faults left it. `hit` are the positions of those that changed something.

    `spoiled`: nobody can take it for the whole answer, so who asks again is to get it anew. `unreadable` is
    the content-encoding that kept a fault from the events of the body, which it is about.
    """

    answer: Answer
    ending: Ending
    hit: tuple[int, ...]
    spoiled: bool
    unreadable: str = ""


def inject(answer: Answer, effects: Iterable[tuple[int, Effect]], asked: Asked, *, at_once: bool) -> Injected:
    """Apply effects, given with their positions. One whose place the answer does not reach changes nothing.

    `at_once`: the answer was prepared to be sent without waiting, in as few writes as can be.
    """
    left = unframed(answer)
    hit: list[int] = []
    spoiled = False
    encoding = ""
    for position, effect in effects:
        found = _applied(left, effect, asked)
        if found is None:
            encoding = encoding or (unreadable(left) if _is_about_events(effect) else "")
            continue
        left = found
        hit.append(position)
        spoiled |= isinstance(effect, _SPOILING)
        if isinstance(effect, Status):
            break
    return Injected(
        answer=left.framed(at_once=at_once) if hit else answer,
        ending=left.ending,
        hit=tuple(hit),
        spoiled=spoiled,
        unreadable=encoding,
    )


def _is_about_events(effect: Effect) -> bool:
    if isinstance(effect, Truncate | Reset | Stall):
        return effect.at.unit == "event"
    return isinstance(effect, KeepaliveStall | Garble | DropDone | Dup | ErrorEvent)


def _applied(answer: Unframed, effect: Effect, asked: Asked) -> Unframed | None:  # noqa: C901  (a case a kind)
    match effect:
        case Status():
            return error_status(answer, effect, asked)
        case Truncate(at=place):
            return ended_at(answer, place, "close")
        case Reset(at=place):
            return ended_at(answer, place, "reset")
        case Stall(span_ns=span_ns, at=place):
            return stalled(answer, span_ns, place)
        case KeepaliveStall():
            return stalled_with_comments(answer, effect)
        case Garble(event=number):
            return garbled(answer, number)
        case DropDone():
            return without_done(answer)
        case Dup(event=number):
            return doubled(answer, number)
        case Split(max_bytes=size):
            return split(answer, size)
        case Merge(bytes=size):
            return merged(answer, size)
        case SlowStart(span_ns=span_ns):
            return slow_start(answer, span_ns)
        case ErrorEvent():
            return error_within(answer, effect, asked)
