"""Waiting for what the recorder writes: it is looked for again and again, but not for long.

A process of its own writes it, and says nothing of that.
"""

import asyncio
from collections.abc import Callable

from tokentape.replay._reply import Ending
from tokentape.replay.matching._request_key import RequestKey

_RECORDED_S = 5.0  # a busy machine may take long; the recorder writes an end before it passes it on
_LOOK_S = 0.005


class Looking:
    """Looks whether something is recorded, at once and then every 5 ms, for 5 s at most.

    Calls `then` once with what it has found, unless it was stopped before.
    """

    def __init__(self, is_recorded: Callable[[], bool], then: Callable[[bool], None]) -> None:
        self._is_recorded = is_recorded
        self._then = then
        self._loop = asyncio.get_running_loop()
        self._until = self._loop.time() + _RECORDED_S
        self._next: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Look, and go on looking."""
        is_recorded = self._is_recorded()
        if is_recorded or self._loop.time() >= self._until:
            self._then(is_recorded)
        else:
            self._next = self._loop.call_later(_LOOK_S, self.begin)

    def stop(self) -> None:
        """Look no more."""
        if self._next is not None:
            self._next.cancel()


class GivenUp:
    """An exchange that its client has hung up on, of which the recorder has still to write the end."""

    def __init__(self, key: RequestKey, is_recorded: Callable[[], bool]) -> None:
        self.key = key
        self._is_recorded = is_recorded
        self._until = asyncio.get_running_loop().time() + _RECORDED_S
        self._is_over = False

    def is_over(self) -> bool:
        """Whether it is recorded by now, or has taken too long for that."""
        late = asyncio.get_running_loop().time() >= self._until
        self._is_over = self._is_over or self._is_recorded() or late
        return self._is_over


class AfterGivenUp:
    """What a request for the same is answered with: nothing yet (a `Relayed` that only ends)."""

    stays = False  # nobody need wait for a client that is gone

    def __init__(self, given_up: GivenUp) -> None:
        self._given_up = given_up
        self._looking: Looking | None = None

    def begin(self, write: Callable[[bytes], None], ended: Callable[[Ending], None]) -> None:  # noqa: ARG002
        """Wait until the other is over."""
        self._looking = Looking(self._given_up.is_over, lambda _: ended("open"))
        self._looking.begin()

    def hold(self) -> None:
        """Do nothing: nothing is written."""

    def release(self) -> None:
        """Do nothing: nothing was held."""

    def halt(self) -> None:
        """Wait no more."""
        if self._looking is not None:
            self._looking.stop()
