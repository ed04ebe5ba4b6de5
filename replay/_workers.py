"""Several processes that serve as one, for machines with more cores than one.

They are forked from the process that has read the cassettes, so these are in memory once, and listen on the
same port, among which the system spreads connections (SO_REUSEPORT). What was asked for how often is counted
in memory that all share, so answers take turns as with one process. The first process serves nothing: it
starts the others, tells them what to do, adds up what they have counted, and answers what comes to any of
them under `/-/` (see `Crew`).

Invariant: no worker outlives the process that has forked it.
"""

import asyncio
import logging
import os
import signal
import socket
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Self

from tokentape.cassette import counted
from tokentape.replay._channel import Channel, ChannelClosed
from tokentape.replay._crew import Crew, callees
from tokentape.replay._errors import CannotListen, ReplayError, check_address
from tokentape.replay._stats import Stats
from tokentape.replay._tally import Tally
from tokentape.replay.control._access import Access
from tokentape.replay.control._relay import Relay
from tokentape.replay.control._steering import Steering
from tokentape.replay.serving._out_of_files import say_when_out_of_files
from tokentape.replay.serving._requests import IncomingRequest
from tokentape.replay.serving._server import Server

_SLOW_S = 2.0  # how long a worker may take to stop beyond the grace that answers have
_log = logging.getLogger("tokentape.replay")


class Workers:
    """Processes that serve what a server was made to serve; used as the server would be.

    It is to be made before an event loop runs, since what is forked would share that. Raises `ReplayError`
    where the system cannot fork or share a port, such as Windows.
    """

    def __init__(self, server: Server, count: int) -> None:
        if not hasattr(os, "fork") or not hasattr(socket, "SO_REUSEPORT"):
            raise ReplayError("expected a system that can fork processes and let them share a port")
        server.share_counts()
        self._ends: list[socket.socket] = []
        self._processes: list[BaseProcess] = []
        for number in range(1, count + 1):
            self._fork(server, number)
        self._has_control = server.control_url is not None
        self._channels: dict[int, Channel] = {}
        self._crew = Crew(server, self._channels)
        self._steering: asyncio.Future[Steering] | None = None
        self._watching: list[asyncio.Task[None]] = []
        self._holder: socket.socket | None = None
        self._stopping = False
        self._tallies: list[Tally] = []
        self.url = ""
        """The root, such as http://127.0.0.1:8090."""
        self.base_url = ""
        """What an SDK takes as its base URL."""
        self.bound_hosts: tuple[str, ...] = ()
        """The addresses that are listened on, once it is started."""
        self.all_lost = asyncio.Event()
        """Set when there is no worker any more."""

    @property
    def stats(self) -> Stats:
        """What all workers had done when they stopped."""
        return self._crew.total(self._tallies).stats

    @property
    def control_url(self) -> str | None:
        """See `Server.control_url`."""
        return f"{self.url}/-/" if self._has_control else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Accept connections in all processes when this returns. Raises `CannotListen` as `Server.start`."""
        self._steering = asyncio.get_running_loop().create_future()
        for number, end in enumerate(self._ends, start=1):
            self._channels[number] = await Channel.over(end, {"steer": self._steer})
            self._watching.append(asyncio.create_task(self._watch(number)))
        self._holder = reserved_port(host, port)
        port = self._holder.getsockname()[1]
        self.url, self.base_url, self.bound_hosts = (await self._crew.all("start", host, port))[0]
        self._steering.set_result(Steering(self._crew, Access(host, self.bound_hosts)))

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """Stop all processes as `Server.stop` does, and take what they have counted."""
        self._stopping = True
        if self._channels and not self._tallies:
            self._tallies = await self._stopped(grace_s)
        for channel in self._channels.values():
            channel.close()
        for end in self._ends:
            end.close()
        if self._holder is not None:
            self._holder.close()
        for process in self._processes:
            await asyncio.to_thread(process.join)

    async def _stopped(self, grace_s: float) -> list[Tally]:
        """Stop all workers, and return what they have counted. One that is not quick is killed, and lost."""
        limit_s = grace_s + _SLOW_S
        calls = [asyncio.wait_for(each.call("stop", grace_s), limit_s) for each in self._channels.values()]
        found = await asyncio.gather(*calls, return_exceptions=True)
        for number, each in zip(self._channels, found, strict=True):
            if isinstance(each, TimeoutError):
                self._give_up(number)
            elif isinstance(each, BaseException) and not isinstance(each, ChannelClosed):
                raise each
        return [each for each in found if not isinstance(each, BaseException)]

    def _give_up(self, number: int) -> None:
        process = self._processes[number - 1]
        process.kill()
        self._crew.lost += 1
        _log.error("worker %d (process %s) did not stop, and was killed", number, process.pid)

    async def _steer(self, request: IncomingRequest) -> bytes:
        assert self._steering is not None  # noqa: S101  (it is there before the channels are)
        steering = await asyncio.shield(self._steering)  # a worker may be asked before all have begun
        return await steering.response_to(request)

    async def _watch(self, number: int) -> None:
        await self._channels[number].closed.wait()
        if self._stopping:
            return
        self._crew.lost += 1
        process = self._processes[number - 1]
        await asyncio.to_thread(process.join)
        left = len(self._processes) - self._crew.lost
        _log.error(
            "worker %d (process %s) has ended with %s: %s",
            number,
            process.pid,
            _ended_with(process),
            f"{counted(left, 'worker')} left" if left else "none is left",
        )
        if not left:
            self.all_lost.set()

    def _fork(self, server: Server, number: int) -> None:
        ours, theirs = socket.socketpair()
        process = get_context("fork").Process(
            target=_work, args=(server, theirs, [*self._ends, ours]), name=f"tokentape worker {number}"
        )
        process.start()
        theirs.close()
        self._ends.append(ours)
        self._processes.append(process)


def reserved_port(host: str, port: int) -> socket.socket:
    """Return a socket that holds a port which others that share it can listen on; 0 is any that is free.

    Raises `CannotListen` if somebody has it who does not share it with us, or the address is none.
    """
    check_address(host, port)
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family) as alone:  # without sharing, or we would join whoever listens there
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            alone.bind(address)
            address = alone.getsockname()
        holder = socket.socket(family)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(address)
    except (OSError, UnicodeError) as error:
        raise CannotListen.because(host, port, error) from None
    return holder


def _work(server: Server, end: socket.socket, others: list[socket.socket]) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        # a terminal sends them to all; the first process says when
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    for other in others:
        other.close()
    asyncio.run(_serve(server, end))


async def _serve(server: Server, end: socket.socket) -> None:
    async def start(host: str, port: int) -> tuple[str, str, tuple[str, ...]]:
        await server.start(host, port, shares_port=True)
        return server.url, server.base_url, server.bound_hosts

    async def stop(grace_s: float) -> Tally:
        await server.stop(grace_s=grace_s)
        return server.tally().own

    async def steer(request: IncomingRequest) -> bytes:
        response: bytes = await first.call("steer", request)
        return response

    say_when_out_of_files(asyncio.get_running_loop())
    server.relay_control(Relay(steer))
    async with server:
        first = await Channel.over(end, {"start": start, "stop": stop, **callees(server)})
        await first.closed.wait()


def _ended_with(process: BaseProcess) -> str:
    code = process.exitcode or 0
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
