"""Finds the events of a body all at once, where it is nothing but events that hold an object each.

Nearly every stream of the OpenAI kind is such: `data: {...}` and a blank line, again and again, in the end
perhaps `data: [DONE]`. Its events are found with a few passes over its bytes, in a tenth of the time that
the decoder of server-sent events takes, and their JSON can be decoded in one call.

The invariant: what is found is what that decoder would find, or nothing is. A body with anything else in
it is left to the decoder: other fields and comments, several lines of data, CR, a byte order mark, an end
in the middle of an event, data that does not begin with `{` and end with `}`. A test compares the two.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tokentape.analysis.measuring._columns import Ints

_HEAD = b"data: {"
_FIELD = len(b"data: ")
_END = b"}\n\n"
_DONE = b"data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class WholeEvents:
    """The events of a body, with the pieces that completed them."""

    read: Ints
    """The piece that held each event's last byte, that of `[DONE]` too."""
    ended: bool
    """Whether the last event is `[DONE]`."""
    _lines: memoryview
    _ends: Ints

    def __len__(self) -> int:
        """Return how many events hold an object."""
        return len(self._ends)

    def lines(self, first: int, end: int) -> memoryview:
        """Return the objects of the events from one to another, with whitespace between them.

        Every event's data begins with a brace and ends with one, and line ends are between them. No JSON
        value has `}`, a line end and `{` in it, so none is of two events: if there are as many values as
        events, each event is one value.
        """
        return self._lines[self._ends[first - 1] if first else 0 : self._ends[end - 1]]


def whole_events(pieces: Sequence[bytes], sizes: Ints) -> WholeEvents | None:
    """Return the events of decoded pieces, or None if there may be anything else. `sizes`: the pieces'."""
    body = bytearray().join(pieces)
    if not body.startswith(_HEAD):
        return None
    ended = body.endswith(_DONE)
    size = len(body) - len(_DONE) if ended else len(body)
    if not body.endswith(_END, 0, size) or b"\r" in body:
        return None
    line_ends = np.flatnonzero(np.frombuffer(body, np.uint8, size) == ord("\n"))
    ends = line_ends[1::2] + 1
    # A view in which each place of the body has the bytes from there on: all events are compared at once.
    heads = np.ndarray((size - len(_HEAD) + 1,), f"S{len(_HEAD)}", body, 0, (1,))
    tails = np.ndarray((size - len(_END) + 1,), f"S{len(_END)}", body, 0, (1,))
    starts = np.concatenate(([0], ends[:-1]))
    if (
        ends[-1] != size
        or starts[-1] > size - len(_HEAD)
        or not (heads[starts] == _HEAD).all()
        or not (tails[ends - len(_END)] == _END).all()
    ):
        return None
    fields = np.ndarray((size - _FIELD + 1,), f"S{_FIELD}", body, 0, (1,))
    fields[starts] = b" " * _FIELD
    last_bytes = np.append(ends, len(body)) - 1 if ended else ends - 1
    read = np.searchsorted(np.cumsum(sizes), last_bytes, side="right")
    return WholeEvents(read, ended, memoryview(body), ends)
