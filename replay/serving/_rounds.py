"""Connections that a client has kept waiting for too long are closed, counted and said.

They are looked at in rounds, some hundred at a time, so that thousands of them delay no piece. Invariant:
each connection that stays is looked at once in each round.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import islice

from tokentape.cassette import counted
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._party import Party
from tokentape.replay.serving._patience import Overdue
from tokentape.replay.timing._pacer import Clock

_log = logging.getLogger("tokentape.replay")
_AT_A_TIME = 200
_ROUND_S = 1.0
_PAUSE_S = 0.02  # within a round


class Rounds:
    """Goes round connections while it is started. `ended` counts those that were closed, by the reason."""

    def __init__(self, connections: Collection[Party], *, limits: Limits, clock: Clock) -> None:
        self.ended = Counter[Overdue]()
        self._connections = connections
        self._clock = clock
        self._limits = limits
        given = [limit for limit in (limits.idle_s, limits.request_s, limits.unread_s) if limit is not None]
        self._round_s = min(_ROUND_S, *(limit / 4 for limit in given)) if given else None
        self._left: Iterator[Party] | None = None  # of a round that is under way
        self._next: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, on the event loop that is running."""
        if self._round_s is not None:
            self._next = asyncio.get_running_loop().call_later(self._round_s, self._go_on, self._round_s)

    def stop(self) -> None:
        """Look at no more connections."""
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def look(self) -> bool:
        """Look at the next few connections, and return whether they were the last of a round."""
        if self._left is None:
            self._left = iter([*self._connections])
        some = [*islice(self._left, _AT_A_TIME)]
        now_ns = self._clock()
        open_ones = (each for each in some if each in self._connections)
        found = Counter(overdue for each in open_ones if (overdue := each.end_if_overdue(now_ns)))
        self.ended += found
        if count := found["incomplete"]:
            _log.warning(
                "%s closed: expected the rest of a request within %g s",
                counted(count, "connection"),
                self._limits.request_s,
            )
        if count := found["unread"]:
            _log.warning(
                "%s cut off: expected the client to read on within %g s",
                counted(count, "answer"),
                self._limits.unread_s,
            )
        if len(some) == _AT_A_TIME:
            return False
        self._left = None
        return True

    def _go_on(self, round_s: float) -> None:
        wait_s = round_s if self.look() else _PAUSE_S
        self._next = asyncio.get_running_loop().call_later(wait_s, self._go_on, round_s)
