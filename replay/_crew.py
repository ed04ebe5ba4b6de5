"""The workers of a replay as one server: what control asks is asked of all of them, and so is what it tells.

What they count together is in memory that the first process shares, which says it by itself; the rest is
added up. Invariant: changes are made one after the other, each by all workers before it is answered; a worker
that ends meanwhile is left out, and one that does not answer makes a TimeoutError.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tokentape.replay._channel import Channel, ChannelClosed
from tokentape.replay._journal import SeenRequest, merged
from tokentape.replay._tally import Tally, added_up
from tokentape.replay.control._steered import Health, health_of
from tokentape.replay.faults import faults_of
from tokentape.replay.serving._server import Server

_ANSWER_S = 5.0  # what is asked here takes a worker milliseconds


def callees(server: Server) -> Mapping[str, Callable[..., Any]]:
    """Return what a worker does for its crew."""
    return {
        "health": lambda: health_of(server),
        "tally": lambda: server.tally().own,
        "entries": server.journal.entries,
        "pause": server.pause,
        "resume": server.resume,
        "set_speed": server.set_speed,
        "set_faults": server.set_faults,
        "forget": server.forget,
    }


class Crew:
    """Calls workers over their channels, by their numbers; see `Steered`.

    `server` is what they were forked from. It serves nothing, but has what is counted together.
    """

    def __init__(
        self, server: Server, channels: Mapping[int, Channel], *, answer_s: float = _ANSWER_S
    ) -> None:
        self._server = server
        self._channels = channels
        self._answer_s = answer_s
        self._one_change = asyncio.Lock()
        self.lost = 0
        """How many workers have ended although nobody told them to."""

    async def all(self, name: str, *arguments: Any) -> list[Any]:
        """Have all workers do something, and return what they return, but for those that are lost."""
        calls = [channel.call(name, *arguments) for channel in self._channels.values()]
        found = await asyncio.gather(*calls, return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException) and not isinstance(each, ChannelClosed):
                raise each
        return [each for each in found if not isinstance(each, ChannelClosed)]

    async def health(self) -> Health:
        """See `Steered`."""
        found: list[Health] = await self._soon("health")
        if not found:
            raise ChannelClosed
        return replace(
            found[0],
            connections=sum(each.connections for each in found),
            running=sum(each.running for each in found),
            workers=len(found),
        )

    async def tally(self) -> Tally:
        """See `Steered`."""
        return self.total(await self._soon("tally"))

    def total(self, tallies: Sequence[Tally]) -> Tally:
        """Return the counts of the whole crew, of which workers have counted these alone."""
        found = added_up([*tallies, self._server.tally()])
        return replace(found, answered=replace(found.answered, lost_workers=self.lost))

    async def requests(self, after: int, limit: int) -> Sequence[SeenRequest]:
        """See `Steered`."""
        # what is numbered by now is there when the workers are asked; what is later may not yet be everywhere
        up_to = self._server.journal.last_number
        return merged(await self._soon("entries", after, limit, up_to), after, limit)

    async def faults(self) -> Sequence[str]:
        """See `Steered`."""
        return [*map(str, self._server.faults)]

    async def pause(self) -> None:
        """See `Steered`."""
        await self._change("pause")

    async def resume(self) -> None:
        """See `Steered`."""
        await self._change("resume")

    async def set_speed(self, speed: float) -> None:
        """See `Steered`."""
        await self._change("set_speed", speed)

    async def set_faults(self, faults: Sequence[str]) -> None:
        """See `Steered`."""
        given = faults_of(faults)
        async with self._one_change:
            self._server.make_room_for_faults(given)
            await self._soon("set_faults", given)
            self._server.set_faults(given)  # last: all that the earlier ones have hit is counted by now

    async def reset(self) -> None:
        """See `Steered`."""
        async with self._one_change:
            self._server.reset()
            await self._soon("forget")

    async def _change(self, name: str, *arguments: Any) -> None:
        async with self._one_change:
            await self._soon(name, *arguments)

    async def _soon(self, name: str, *arguments: Any) -> list[Any]:
        async with asyncio.timeout(self._answer_s):
            return await self.all(name, *arguments)
