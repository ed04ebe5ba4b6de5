"""Requests under `/-/` that come to one of several processes are answered by another, which knows of all.

Invariant: a request that is relayed is answered, or its connection ends; nothing else waits for that.
"""

import asyncio
from collections.abc import Awaitable, Callable

from msgspec.structs import replace

from tokentape.replay._reply import Ending, Reply
from tokentape.replay.control._steering import MAX_BODY_BYTES, ending_of, refusal
from tokentape.replay.serving._requests import IncomingRequest

Ask = Callable[[IncomingRequest], Awaitable[bytes]]
"""Returns the response to a request."""


class Relay:
    """Answers requests under `/-/` with what `ask` returns. `under_way` is how many wait for that."""

    def __init__(self, ask: Ask) -> None:
        self.ask = ask
        self.under_way = 0

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return the answer to a request, which is still to come."""
        # of a body that is too long no more is sent than tells so
        return Reply(live=_Relayed(self, replace(request, body=request.body[: MAX_BODY_BYTES + 1])))


class _Relayed:
    """A request that waits for its answer: see `Live`. What comes is one small write, and is never held."""

    stays = True

    def __init__(self, relay: Relay, request: IncomingRequest) -> None:
        self._relay = relay
        self._request = request
        self._task: asyncio.Task[None] | None = None

    def begin(self, write: Callable[[bytes], None], ended: Callable[[Ending], None]) -> None:
        self._relay.under_way += 1
        self._task = asyncio.get_running_loop().create_task(self._answer(write, ended))

    def hold(self) -> None: ...

    def release(self) -> None: ...

    def halt(self) -> None:
        """Give the client up; what was asked is done all the same."""
        if self._task is not None:
            self._task.cancel()
            self._relay.under_way -= 1

    async def _answer(self, write: Callable[[bytes], None], ended: Callable[[Ending], None]) -> None:
        try:
            response = await self._relay.ask(self._request)
        except Exception as error:  # noqa: BLE001  (whatever it is, the client is told)
            response = refusal(self._request, 500, f"not answered: {error!r}")
        self._relay.under_way -= 1
        write(response)
        ended(ending_of(self._request))
