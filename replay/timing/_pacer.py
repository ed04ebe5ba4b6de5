"""The pacer: every piece of every stream leaves at its due time. The one part of replay that waits.

Each stream has one anchor, and each of its pieces is due at the anchor plus the piece's offset: what
one piece is late is not added to the next, so a stream of any length does not drift. The next pieces of
all streams are in one heap behind one timer; when it fires, every piece that is due is written straight
to its transport, without a task to wake for each. Pieces that are late go at once, in order of their
due times, and the schedule stays as it was.

A stream whose client does not read is set aside when its next piece comes due, until its transport
takes bytes again; no other stream notices. How late that makes its pieces is the client's doing: they are
counted as held, and not in the lateness. One firing writes only what was due when it began, so that
an overloaded pacer still lets its event loop read requests.

Invariant: a stream that is playing has its next piece in the heap or is set aside, never both.
"""

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from heapq import heappop, heappush, heapreplace
from typing import TypeAlias

from tokentape.replay.timing._lateness import Lateness
from tokentape.replay.timing._player_clock import PlayerClock
from tokentape.replay.timing._timer import Timer, kernel_timer

Part: TypeAlias = tuple[int, bytes]
"""An offset in ns and what is written then; nothing is written for b"", which may be an answer's end."""
Clock: TypeAlias = Callable[[], int]
"""Returns the time in ns, as `time.monotonic_ns` does."""


class Stream:
    """One answer on its way: parts (at least one), each due at `anchor_ns` plus its offset.

    `anchor_ns` is a time of the system, at which the request was there. `recorded_ns` is how long the
    answer took when it was recorded, 0 if nobody knows. `write` may hold or halt the stream. `ended` is
    called after the last part and may play another.
    """

    __slots__ = (
        "anchor_ns",
        "caught_up_ns",
        "data",
        "ended",
        "halted",
        "held",
        "offset_ns",
        "parts",
        "position",
        "recorded_ns",
        "waiting",
        "write",
        "zero_ns",
    )

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        anchor_ns: int,
        write: Callable[[bytes], None],
        ended: Callable[[], None],
        recorded_ns: int = 0,
    ) -> None:
        self.parts = parts
        self.anchor_ns = anchor_ns
        self.zero_ns = anchor_ns  # in playing time, once it plays
        self.recorded_ns = recorded_ns
        self.write = write
        self.ended = ended
        self.position = 0  # of the next part, which is:
        self.offset_ns, self.data = parts[0]
        self.held = False  # the client does not read
        self.waiting = False  # set aside: a piece came due while held
        self.caught_up_ns = -1  # in playing time: what was due by then waited for the client
        self.halted = False  # nothing more is written

    @property
    def due_ns(self) -> int:
        """When the next part is due, in playing time."""
        return self.zero_ns + self.offset_ns


class Pacer:
    """Plays streams. All methods belong to the event loop's thread."""

    def __init__(
        self,
        lateness: Lateness,
        *,
        clock: Clock = time.monotonic_ns,
        timer: Callable[[Callable[[], None]], Timer] = kernel_timer,
    ) -> None:
        self._lateness = lateness
        self._clock = clock
        self._player = PlayerClock()
        self._timer = timer(self._write_due)
        self._heap: list[tuple[int, int, Stream]] = []
        self._entered = 0  # breaks ties: of pieces due at one time, what entered first goes first
        self._armed_ns: int | None = None
        self._writing = False
        self.recorded_ns = 0
        """How long the streams that have ended took when they were recorded, if that is known."""
        self.played_ns = 0
        """How long the same streams took here."""

    @property
    def paused(self) -> bool:
        """Whether all streams stand still."""
        return self._player.paused

    def play(self, stream: Stream) -> None:
        """Write each part of a new stream when it is due.

        What is due already has been written when this returns, unless it is called from a stream's
        `write` or `ended`.
        """
        stream.zero_ns = self._player.playing_ns(stream.anchor_ns)
        at_once = len(stream.parts) == 1 and stream.due_ns == stream.zero_ns
        if at_once and not (stream.held or self._writing or self._player.paused):
            self._write_whole(stream)  # as all answers of an instant replay: nothing to wait for
        else:
            self._enter(stream)
            self._go_on()

    def pause(self) -> None:
        """Write nothing more of any stream: they stand still until `resume`."""
        self._go_on()  # what is due until now was not late because of the pause
        self._player.pause(self._clock())

    def resume(self) -> None:
        """Go on with all streams from where they stood."""
        self._player.resume(self._clock())
        self._go_on()

    def set_rate(self, rate: Fraction) -> None:
        """Play what is left of all streams, and all that come, `rate` times as fast as they are prepared."""
        self._go_on()  # what is due until now goes by the old rate
        self._player.set_rate(rate, self._clock())
        self._go_on()

    def hold(self, stream: Stream) -> None:
        """Write no more of the stream for now. Its schedule goes on."""
        stream.held = True

    def release(self, stream: Stream) -> None:
        """Go on with a held stream; what came due meanwhile goes at once."""
        stream.held = False
        if stream.waiting and not stream.halted:
            stream.waiting = False
            stream.caught_up_ns = self._player.playing_ns(self._clock())
            self._enter(stream)
            if not self._writing:
                self._arm()

    def halt(self, stream: Stream) -> None:
        """Write nothing more of the stream, ever, and do not call its `ended`.

        It stays in the heap until its next part is due, perhaps in hours; what it belongs to need not.
        """
        stream.halted = True
        stream.parts, stream.data = (), b""
        stream.write, stream.ended = _to_nobody, _no_end

    def close(self) -> None:
        """Stop all streams where they are."""
        self._timer.close()
        self._heap.clear()

    def _enter(self, stream: Stream) -> None:
        self._entered += 1
        heappush(self._heap, (stream.due_ns, self._entered, stream))

    def _arm(self) -> None:
        if self._heap and not self._player.paused:
            due_ns = self._player.system_ns(self._heap[0][0])
            if due_ns != self._armed_ns:
                self._armed_ns = due_ns
                self._timer.arm(due_ns)

    def _go_on(self) -> None:
        if self._writing:
            return  # the firing that is under way arms the timer at its end
        now_ns = self._player.playing_ns(self._clock())
        if self._heap and self._heap[0][0] <= now_ns:
            self._write_until(now_ns)
        else:
            self._arm()

    def _write_due(self) -> None:
        self._write_until(self._player.playing_ns(self._clock()))

    def _write_until(self, now_ns: int) -> None:
        self._armed_ns = None
        self._writing = True
        try:
            heap = self._heap
            while heap and heap[0][0] <= now_ns and not self._player.paused:
                self._write_first(heap)
        finally:
            self._writing = False
            self._arm()

    def _write_first(self, heap: list[tuple[int, int, Stream]]) -> None:
        due_ns, _, stream = heap[0]
        if stream.halted or stream.held:
            stream.waiting = True
            heappop(heap)
            return
        data = stream.data
        stream.position += 1
        is_last = stream.position == len(stream.parts)
        if not is_last:
            stream.offset_ns, stream.data = stream.parts[stream.position]
        # The heap is put right first: `write` and `ended` may call back.
        if is_last:
            heappop(heap)
        else:
            self._entered += 1
            heapreplace(heap, (stream.due_ns, self._entered, stream))
        if data:
            stream.write(data)
        now_ns = self._clock()
        if due_ns > stream.caught_up_ns:
            self._lateness.add(now_ns - self._player.system_ns(due_ns))
        else:
            self._lateness.held += 1
        if is_last and not stream.halted:
            self._end(stream, now_ns)

    def _write_whole(self, stream: Stream) -> None:
        self._writing = True
        try:
            if stream.data:
                stream.write(stream.data)
            now_ns = self._clock()
            self._lateness.add(now_ns - self._player.system_ns(stream.zero_ns))
            if not stream.halted:
                self._end(stream, now_ns)
        finally:
            self._writing = False
            if self._heap:
                self._go_on()

    def _end(self, stream: Stream, now_ns: int) -> None:
        if stream.recorded_ns:
            self.recorded_ns += stream.recorded_ns
            self.played_ns += now_ns - stream.anchor_ns
        stream.ended()


def _to_nobody(data: bytes) -> None:
    """Write nothing."""


def _no_end() -> None:
    """Do nothing."""
