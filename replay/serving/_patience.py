"""How long a server waits for a client: for a request, for the rest of one, for it to read an answer.

There is no timer for each connection, of which there may be thousands: what a connection saw is noted with
the time, and looked at now and then. Nothing here reads a clock or closes anything. Invariant: while an
answer is on its way and its client takes what is written, no time is too long.
"""

from typing import Literal, TypeAlias

from tokentape.replay.serving._limits import Limits

Overdue: TypeAlias = Literal["idle", "incomplete", "unread"]
"""What has not come for too long: a request, the rest of one, or the client to read."""


class Patience:
    """What is waited for on one connection, and since when."""

    __slots__ = ("_limits", "_received", "_request_since_ns", "_since_ns", "_unread", "_unread_since_ns")

    def __init__(self, limits: Limits, now_ns: int) -> None:
        self._limits = limits
        self._since_ns = now_ns  # nothing is on its way
        self._request_since_ns: int | None = None  # a request has begun
        self._received = 0  # bytes of it
        self._unread = 0  # bytes that waited for the client at the last look
        self._unread_since_ns = now_ns  # so many

    def received(self, size: int, now_ns: int, *, complete: bool, begun: bool) -> None:
        """Note that so many bytes came: whether a request is complete with them, and another one begun."""
        if complete:
            self._since_ns = now_ns
        if not begun:
            self._request_since_ns = None
        elif complete or self._request_since_ns is None:
            self._request_since_ns, self._received = now_ns, size
        else:
            self._received += size

    def answered(self, now_ns: int) -> None:
        """Note that an answer has ended."""
        self._since_ns = now_ns

    def overdue(self, now_ns: int, *, unread: int, busy: bool) -> Overdue | None:
        """Return what has not come for too long.

        So many bytes wait to be read; `busy` is whether an answer is on its way or a request waits for one.
        """
        if unread != self._unread:
            self._unread, self._unread_since_ns = unread, now_ns
        if unread or busy:
            # The client may send its next request when it has read this answer: its time begins then.
            self._since_ns = now_ns
            if self._request_since_ns is not None:
                self._request_since_ns = now_ns
            late = unread and _passed(self._limits.unread_ns, now_ns - self._unread_since_ns)
            return "unread" if late else None
        if self._request_since_ns is not None:
            limit_ns = self._limits.request_ns(self._received)
            return "incomplete" if _passed(limit_ns, now_ns - self._request_since_ns) else None
        return "idle" if _passed(self._limits.idle_ns, now_ns - self._since_ns) else None


def _passed(limit_ns: int | None, waited_ns: int) -> bool:
    return limit_ns is not None and waited_ns > limit_ns
