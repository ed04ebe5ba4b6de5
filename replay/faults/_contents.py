"""Faults in what an answer says: one event wrong, missing, or there twice; all else as it was."""

import re
from dataclasses import replace
from itertools import accumulate, pairwise

from tokentape.replay.faults._cutting import at_byte
from tokentape.replay.faults._events import Located, streamed
from tokentape.replay.faults._families import is_done
from tokentape.replay.faults._unframed import Unframed

_DATA = re.compile(rb"(?:^|(?<=[\r\n]))data:? ?([^\r\n]*)")


def garbled(answer: Unframed, number: int) -> Unframed | None:
    """Overwrite the second half of an event's data with #, which ends no JSON; lengths and UTF-8 stay."""
    found = streamed(answer)
    if found is None or number > len(found.events):
        return None
    body = found.answer.body
    start, end = _data(body, found.events[number - 1], lines=found.lines)
    half = (start + end) // 2
    while half > start and body[half] & 0xC0 == 0x80:
        half -= 1
    body = body[:half] + b"#" * (end - half) + body[end:]
    ends = [0, *accumulate(len(data) for _, data in found.answer.pieces)]
    pieces = tuple(
        (due_ns, body[one:other])
        for (due_ns, _), (one, other) in zip(found.answer.pieces, pairwise(ends), strict=True)
    )
    return replace(found.answer, pieces=pieces)


def doubled(answer: Unframed, number: int) -> Unframed | None:
    """Send an event once more, in a piece of its own, right after it has come."""
    found = streamed(answer)
    if found is None or number > len(found.events):
        return None
    located = found.events[number - 1]
    return _spliced(found.answer, located.end, located.end, found.answer.body[located.start : located.end])


def without_done(answer: Unframed) -> Unframed | None:
    """Leave out the events that say that all has come."""
    found = streamed(answer)
    if found is None:
        return None
    done = [located for located in found.events if is_done(located.event, lines=found.lines)]
    left = found.answer
    for located in reversed(done):
        left = _spliced(left, located.start, located.end, b"")
    return left if done else None


def _spliced(answer: Unframed, start: int, end: int, data: bytes) -> Unframed:
    """Put other bytes in the place of some, at the time of the last of these."""
    before, after = at_byte(answer, start), at_byte(answer, end)
    if before is None or after is None:
        raise IndexError("expected a range of the body")
    between = ((after.at_ns, data),) if data else ()
    return replace(answer.chunked(), pieces=(*before.before, *between, *after.after))


def _data(body: bytes, located: Located, *, lines: bool) -> tuple[int, int]:
    """Return where the last line of an event's data is that is not empty."""
    own = body[located.start : located.end]
    if lines:
        return located.start, located.start + len(own.rstrip())
    found = [match.span(1) for match in _DATA.finditer(own)]
    start, end = next((span for span in reversed(found) if span[0] < span[1]), found[-1])
    return located.start + start, located.start + end
