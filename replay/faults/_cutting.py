"""Where in an answer a fault sets in: the answer in two, at a `Place`.

Invariant: the two parts together are the answer's pieces, of which one at most was cut in two.
"""

from dataclasses import dataclass
from itertools import accumulate

from tokentape.replay.faults._effects import Place
from tokentape.replay.faults._events import Streamed, streamed
from tokentape.replay.faults._unframed import Unframed
from tokentape.replay.timing._pacer import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """An answer and its pieces before and after a place, which is reached at `at_ns`.

    The answer is decoded where the place is an event of an encoded body. `begun`: its head came before.
    """

    answer: Unframed
    before: tuple[Part, ...]
    after: tuple[Part, ...]
    at_ns: int
    begun: bool = True


def cut(answer: Unframed, place: Place) -> Cut | None:
    """Cut an answer at a place; None if it ends before, or has no such thing."""
    if place.unit == "time":
        return _at_time(answer, place.count)
    if not answer.has_body:
        return None
    match place.unit:
        case "byte":
            return at_byte(answer, place.count)
        case "piece":
            sizes = [0, *accumulate(len(data) for _, data in answer.pieces)]
            return at_byte(answer, sizes[place.count]) if place.count < len(sizes) else None
        case "event":
            found = streamed(answer)
            return after_event(found, place.count) if found else None


def after_event(found: Streamed, count: int) -> Cut | None:
    """Cut an answer after so many of its events; None if it has fewer."""
    if count > len(found.events):
        return None
    return at_byte(found.answer, found.events[count - 1].end if count else 0)


def at_byte(answer: Unframed, position: int) -> Cut | None:
    """Cut an answer after so many bytes of its body; None if it has fewer."""
    if position == 0:
        return Cut(answer=answer, before=(), after=answer.pieces, at_ns=answer.head[0])
    for index, ((due_ns, data), end) in enumerate(
        zip(answer.pieces, accumulate(len(data) for _, data in answer.pieces), strict=True)
    ):
        if end >= position:
            split = len(data) - (end - position)
            rest = [(due_ns, data[split:])] if data[split:] else []
            return Cut(
                answer=answer,
                before=(*answer.pieces[:index], (due_ns, data[:split])),
                after=(*rest, *answer.pieces[index + 1 :]),
                at_ns=due_ns,
            )
    return None


def _at_time(answer: Unframed, at_ns: int) -> Cut | None:
    """Cut an answer after what is due until a time; None if it has ended by then."""
    if at_ns >= answer.end[0]:
        return None
    return Cut(
        answer=answer,
        before=tuple(part for part in answer.pieces if part[0] <= at_ns),
        after=tuple(part for part in answer.pieces if part[0] > at_ns),
        at_ns=at_ns,
        begun=answer.head[0] <= at_ns,
    )
