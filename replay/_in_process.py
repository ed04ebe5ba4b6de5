"""Answers without a socket and without waiting: a repertoire on a clock that moves when pieces are read.

No HTTP client is in here, only what a transport of one needs: a request as bytes in, a head and pieces with
their times out. Invariant: the clock never goes back, and is at a piece's due time or later when it is read.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

from tokentape.replay._answering import Answering
from tokentape.replay._http1 import contents
from tokentape.replay._journal import SeenRequest
from tokentape.replay._load import Repertoire
from tokentape.replay._reply import Ending
from tokentape.replay._stats import Stats
from tokentape.replay.faults import Fault, Faulty
from tokentape.replay.matching._matching import Matching
from tokentape.replay.serving._requests import IncomingRequest


class VirtualClock:
    """A time in ns that is moved forward by what would have been waited for."""

    def __init__(self) -> None:
        self.now_ns = time.monotonic_ns()
        self._alone = Lock()

    def advance_to(self, when_ns: int) -> None:
        """Go to a time, unless it has passed."""
        with self._alone:
            self.now_ns = max(self.now_ns, when_ns)


class BrokenOff(Exception):
    """The connection was closed here, before the answer had ended."""


class WasReset(Exception):
    """The connection was reset here, before the answer had ended."""


class TooSlow(Exception):
    """The next piece would not have come within the client's time limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What an answer begins with."""

    status: int
    reason: bytes
    headers: list[tuple[bytes, bytes]]


class InProcess:
    """Answers requests from a repertoire. Its methods may be called from any thread."""

    def __init__(
        self, repertoire: Repertoire, *, matching: Matching | None = None, faults: Iterable[Faulty] = ()
    ) -> None:
        self._answering = Answering(repertoire, matching=matching, faults=faults)
        self._alone = Lock()
        self.clock = VirtualClock()
        self.base_path = self._answering.base_path

    @property
    def stats(self) -> Stats:
        """What was served so far, and what was missed."""
        return self._answering.stats

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing."""
        return self._answering.explanations

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last thousand requests in the order in which they came, and what became of each."""
        return self._answering.journal.all()

    def reset(self) -> None:
        """Begin again; see `Answering.reset`. The clock goes on."""
        with self._alone:
            self._answering.reset()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with answers, in the order in which it is applied."""
        return self._answering.faults

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; see `Answering.set_faults`."""
        with self._alone:
            self._answering.set_faults(faults)

    def answer(self, request: IncomingRequest, *, limit_s: float | None) -> tuple[Head, Iterator[bytes]]:
        """Return the head of an answer, and the pieces of its body, each of which moves the clock.

        Raises `BrokenOff` or `WasReset` if there is no head, and `TooSlow` where more than `limit_s` passes
        without anything to read; so does the iterator.
        """
        anchor_ns = self.clock.now_ns
        with self._alone:
            reply = self._answering.reply_to(request)
        (offset_ns, first), *rest = reply.parts or ((0, reply.now),)
        waited = _Waiting(self.clock, anchor_ns, limit_s)
        waited.until(offset_ns)
        start, blank, body = first.partition(b"\r\n\r\n")
        if not blank:
            raise _ended(reply.ending, "without an answer")
        status_line, *lines = start.split(b"\r\n")
        _, status, reason = status_line.split(b" ", 2)
        fields = [line.partition(b": ")[::2] for line in lines]
        chunked = any(name.lower() == b"transfer-encoding" for name, _ in fields)
        headers = [(name, value) for name, value in fields if name.lower() != b"transfer-encoding"]

        def pieces() -> Iterator[bytes]:
            for due_ns, data in ((offset_ns, body), *rest):
                waited.until(due_ns)
                yield from contents(data) if chunked else filter(None, [data])
            if reply.ending != "open":
                raise _ended(reply.ending, "before the answer was complete")

        return Head(status=int(status), reason=reason, headers=headers), pieces()


def _ended(ending: Ending, when: str) -> BrokenOff | WasReset:
    if ending == "reset":
        return WasReset(f"the connection was reset {when}")
    return BrokenOff(f"the connection was closed {when}")


class _Waiting:
    """The times of one answer on the clock."""

    def __init__(self, clock: VirtualClock, anchor_ns: int, limit_s: float | None) -> None:
        self._clock = clock
        self._anchor_ns = anchor_ns
        self._limit_ns = None if limit_s is None else int(limit_s * 1e9)

    def until(self, offset_ns: int) -> None:
        """Wait for what is due then; the limit begins anew with it, as a client's does with each read."""
        due_ns = self._anchor_ns + offset_ns
        now_ns = self._clock.now_ns
        if self._limit_ns is not None and due_ns - now_ns > self._limit_ns:
            self._clock.advance_to(now_ns + self._limit_ns)
            raise TooSlow("nothing came within the client's time limit")
        self._clock.advance_to(due_ns)
