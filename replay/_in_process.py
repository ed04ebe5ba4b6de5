"""Answers without a socket and without waiting: a repertoire on a clock that moves when pieces are read.

No HTTP client is in here, only what a transport of one needs: a request as bytes in, a head and pieces with
their times out. Invariant: the clock never goes back, and is at a piece's due time or later when it is read.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from threading import Lock

from tokentape.cassette import Headers
from tokentape.replay._answering import Answering, Chosen
from tokentape.replay._http1 import content_length, transfer_codings
from tokentape.replay._journal import SeenRequest
from tokentape.replay._load import Repertoire
from tokentape.replay._reply import Ending
from tokentape.replay._stats import Stats
from tokentape.replay._wire import Answer
from tokentape.replay.faults import Fault, Faulty, Unframed, unframed
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
    """What an answer begins with. Nothing in `headers` says how the body would be framed in chunks."""

    status: int
    reason: bytes
    headers: Headers


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
            found = self._answering.answer_to(request)
        answer, ending = (
            (found.answer, found.ending) if isinstance(found, Chosen) else (Answer.whole(found.now), "open")
        )
        laid_open = unframed(answer)
        waited = _Waiting(self.clock, anchor_ns, limit_s)
        if laid_open.status is None:
            waited.until(laid_open.end[0])
            raise _ended(ending, "without an answer")
        waited.until(laid_open.head[0])
        status, reason = laid_open.status
        headers = tuple(
            (name, value) for name, value in laid_open.headers if name.lower() != b"transfer-encoding"
        )
        if laid_open.framing and (codings := transfer_codings(laid_open.headers)):
            headers += ((b"content-encoding", codings),)  # there is no transfer that could undo them
        has_ended = ending == "open" or _is_whole(laid_open, request.method, status)

        def pieces() -> Iterator[bytes]:
            for due_ns, data in laid_open.pieces:
                waited.until(due_ns)
                yield data
            if laid_open.framing or not has_ended:
                waited.until(laid_open.end[0])
            if not has_ended:
                raise _ended(ending, "before the answer was complete")

        return Head(status=status, reason=reason, headers=headers), pieces()


def _is_whole(answer: Unframed, method: str, status: int) -> bool:
    """Whether a client has all of an answer before its connection ends, however it ends."""
    if answer.framing:
        return False  # only the last chunk would say so
    if method == "HEAD" or status in (204, 304):
        return True
    return content_length(answer.headers) == len(answer.body)


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
