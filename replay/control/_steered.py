"""What control steers: one server, or several processes that serve as one.

Requests under `/-/` are answered by coroutines, since several processes have to be asked first. Invariant:
those of a server alone never wait, so that its answers are there at once (`at_once`).
"""

from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from tokentape.replay._journal import SeenRequest
from tokentape.replay._tally import Tally
from tokentape.replay.timing._quantities import Speed

if TYPE_CHECKING:
    from tokentape.replay.serving._server import Server

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a server is: how many exchanges it has, connections are open and answers on their way.

    `speed` is how many times faster than recorded answers are played, or "instant". `workers` is how many
    processes serve.
    """

    status: Literal["ok"]
    exchanges: int
    connections: int
    running: int
    paused: bool
    speed: Speed
    workers: int = 1


class Steered(Protocol):
    """Whatever a request under `/-/` can ask or tell; see `Server`, whose names these are."""

    async def health(self) -> Health:
        """Return how it is now."""

    async def tally(self) -> Tally:
        """Return what was counted so far."""

    async def requests(self, after: int, limit: int) -> Sequence[SeenRequest]:
        """Return the first so many requests after a number; the last ones if it is negative."""

    async def faults(self) -> Sequence[str]:
        """Return the spellings of the faults in force."""

    async def pause(self) -> None:
        """Let all answers stand still."""

    async def resume(self) -> None:
        """Go on."""

    async def set_speed(self, speed: float) -> None:
        """Play what is left, and what comes, at another speed. Raises ValueError at speed "instant"."""

    async def set_faults(self, faults: Sequence[str]) -> None:
        """Have these faults, and no others. Raises `WrongFault`."""

    async def reset(self) -> None:
        """Begin again."""


class Alone:
    """A server that serves by itself, as `Steered`."""

    def __init__(self, server: "Server") -> None:
        self._server = server

    async def health(self) -> Health:
        """See `Steered`."""
        return health_of(self._server)

    async def tally(self) -> Tally:
        """See `Steered`."""
        return self._server.tally()

    async def requests(self, after: int, limit: int) -> Sequence[SeenRequest]:
        """See `Steered`."""
        journal = self._server.journal
        return journal.last(limit) if after < 0 else journal.after(after, limit)

    async def faults(self) -> Sequence[str]:
        """See `Steered`."""
        return [*map(str, self._server.faults)]

    async def pause(self) -> None:
        """See `Steered`."""
        self._server.pause()

    async def resume(self) -> None:
        """See `Steered`."""
        self._server.resume()

    async def set_speed(self, speed: float) -> None:
        """See `Steered`."""
        self._server.set_speed(speed)

    async def set_faults(self, faults: Sequence[str]) -> None:
        """See `Steered`."""
        self._server.set_faults(faults)

    async def reset(self) -> None:
        """See `Steered`."""
        self._server.reset()


def health_of(server: "Server") -> Health:
    """Return how a server is now."""
    return Health(
        status="ok",
        exchanges=server.exchanges,
        connections=server.connections,
        running=server.running,
        paused=server.paused,
        speed=server.speed,
    )


def at_once(answer: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that waits for nothing."""
    try:
        answer.send(None)
    except StopIteration as done:
        found: T = done.value
        return found
    answer.close()
    raise RuntimeError("expected an answer that is there at once")
