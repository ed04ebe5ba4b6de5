"""The connections that are open, which end when the server is told to stop.

Invariant: one that begins after `finish` is cut off at once.
"""

import asyncio
from collections.abc import Iterator

from tokentape.replay.serving._party import Party


class Parties:
    """Is told of each connection when it begins and when it is over; may be looked at from any thread."""

    def __init__(self) -> None:
        self._open: set[Party] = set()
        self._finishing = False
        self._nothing_open = asyncio.Event()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Party]:
        return iter([*self._open])

    def __contains__(self, party: object) -> bool:
        return party in self._open

    @property
    def busy(self) -> int:
        """How many have an answer on its way."""
        return sum(party.busy for party in self)

    def opened(self, party: Party) -> None:
        """Take in a connection that has begun."""
        self._open.add(party)
        if self._finishing:
            party.abort()

    def lost(self, party: Party) -> None:
        """Forget a connection that is over."""
        self._open.discard(party)
        if not self._open:
            self._nothing_open.set()

    def finish(self) -> None:
        """Take no more, and have each close after the answer that is on its way."""
        self._finishing = True
        for party in self:
            party.finish()

    def abort(self) -> None:
        """Cut off all."""
        for party in self:
            party.abort()

    async def all_closed(self, timeout_s: float | None) -> None:
        """Wait until none is open, at most so long."""
        if not self._open:
            return
        self._nothing_open.clear()
        try:
            await asyncio.wait_for(self._nothing_open.wait(), timeout_s)
        except TimeoutError:
            return
