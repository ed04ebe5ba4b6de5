"""Faults in how a body is cut into pieces. Its bytes stay the same."""

from collections.abc import Iterator
from dataclasses import replace

from tokentape.replay.faults._unframed import Unframed
from tokentape.replay.timing._pacer import Part


def split(answer: Unframed, max_bytes: int) -> Unframed | None:
    """Cut every piece into pieces of at most so many bytes, all due when it was."""
    if not answer.pieces:
        return None
    if max(len(data) for _, data in answer.pieces) <= max_bytes:
        return answer if answer.apart else replace(answer, apart=True)  # as small as an earlier one left them
    pieces = tuple(
        (due_ns, data[start : start + max_bytes])
        for due_ns, data in answer.pieces
        for start in range(0, len(data), max_bytes)
    )
    return replace(answer, pieces=pieces, apart=True)


def merged(answer: Unframed, size: int) -> Unframed | None:
    """Make pieces of exactly so many bytes, each due when it is full; what is left comes with the end."""
    if not answer.pieces:
        return None
    return replace(answer, pieces=tuple(_filled(answer, size)), apart=True)


def _filled(answer: Unframed, size: int) -> Iterator[Part]:
    waiting: list[bytes] = []
    room = size
    for due_ns, data in answer.pieces:
        start = 0
        while len(data) - start >= room:
            yield due_ns, b"".join([*waiting, data[start : start + room]])
            start += room
            waiting, room = [], size
        if data[start:]:
            waiting.append(data[start:])
            room -= len(data) - start
    if waiting:
        yield answer.end[0], b"".join(waiting)
