r"""Server-sent events, decoded from pieces of bytes: no IO, no clock, no buffering beyond one event.

The rules are the WHATWG's (HTML Living Standard, 9.2.6 "Interpreting an event stream"): lines end with
LF, CR or CRLF and with nothing else (U+2028 is text), a BOM at the start is skipped, a line that begins
with a colon is a comment, several data lines are joined with LF, and a blank line dispatches.

Two things differ, because a recording is examined here and not merely consumed:

- data stays bytes. A UTF-8 character that two pieces share is whole again when its line is, and what is
  not UTF-8 is kept as it came. `ServerSentEvent.text` decodes it as the standard says.
- an event that the stream ended before dispatching, which a browser would discard, is returned by
  `end()` with `terminated=False`: that a stream was cut there is worth knowing.

Every event carries the index of the piece that held its last byte (the end of the blank line), so its
time is that piece's. An end of line that is a CR counts at once, without waiting whether an LF follows.
"""

import re
from typing import NamedTuple

_BOM = b"\xef\xbb\xbf"
_new_event = tuple.__new__  # the constructor of a NamedTuple takes three times as long
_MAX_RETRY_DIGITS = 18  # more do not fit 64 bits, and Python refuses to read some thousands
_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """A dispatched event. `piece` is the index of the fed piece that completed it, counted from 0.

    `event` is its type (`message` if none was named); `id` and `retry` (a reconnection time in ms) are
    the last that the stream has set so far. `terminated` is False only for an event at the end of
    a stream whose blank line never came.
    """

    data: bytes
    piece: int
    event: str = "message"
    id: str = ""
    retry: int | None = None
    terminated: bool = True

    @property
    def text(self) -> str:
        """The data as text; what is not UTF-8 becomes U+FFFD, as in a browser."""
        return self.data.decode("utf-8", "replace")


class SSEDecoder:
    """Feed it pieces in order, then call `end()`.

    `comments` counts the comment lines so far.
    """

    def __init__(self) -> None:
        self.comments = 0
        self._piece = -1
        self._line: list[bytes] = []  # the parts of the line that has begun and not ended
        self._first_line = True
        self._after_cr = False  # the last piece ended with CR: an LF that follows belongs to it
        self._between_events = False  # no event, no line and no first line is under way
        self._data: list[bytes] = []
        self._event = ""
        self._id = ""
        self._retry: int | None = None

    def feed(self, piece: bytes) -> list[ServerSentEvent]:
        """Return the events that this piece completed."""
        self._piece += 1
        if not piece:
            return []
        if (
            self._between_events
            and piece[-2:] == b"\n\n"
            and piece[:6] == b"data: "
            and piece.find(b"\n") == len(piece) - 2
            and b"\r" not in piece
        ):
            # The piece is one whole event, as most pieces are; the rules below come to the same.
            fields = (piece[6:-2], self._piece, "message", self._id, self._retry, True)
            return [_new_event(ServerSentEvent, fields)]
        if self._after_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        self._after_cr = piece.endswith(b"\r")
        lines = _LINE_END.split(piece) if b"\r" in piece else piece.split(b"\n")
        rest = lines.pop()
        events: list[ServerSentEvent] = []
        if lines:
            lines[0] = self._whole(lines[0])
            for line in lines:
                if line.startswith(b"data: "):
                    self._data.append(line[6:])
                elif line:
                    self._field(line)
                elif self._data:
                    events.append(self._dispatch())
                else:
                    self._event = ""
        if rest:
            self._line.append(rest)
        self._between_events = not (rest or self._line or self._data or self._event or self._after_cr)
        return events

    def end(self) -> ServerSentEvent | None:
        """Return what the stream ended in the middle of, if anything: an event with `terminated=False`."""
        if line := self._whole(b""):
            self._field(line)
        return self._dispatch(terminated=False) if self._data else None

    def _whole(self, last_part: bytes) -> bytes:
        """Return the line that ends with this part."""
        if self._line:
            last_part = b"".join([*self._line, last_part])
            self._line = []
        if self._first_line:
            self._first_line = False
            last_part = last_part.removeprefix(_BOM)
        return last_part

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        match name:
            case b"":
                self.comments += 1
            case b"data":
                self._data.append(value)
            case b"event":
                self._event = value.decode("utf-8", "replace")
            case b"id" if b"\0" not in value:
                self._id = value.decode("utf-8", "replace")
            case b"retry" if value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
                self._retry = int(value)
            case _:
                pass

    def _dispatch(self, *, terminated: bool = True) -> ServerSentEvent:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = ServerSentEvent(
            data, self._piece, self._event or "message", self._id, self._retry, terminated
        )
        self._data, self._event = [], ""
        return event
