"""Calls between two processes that were one: each end calls functions of the other by name.

Messages are pickled, a length of four bytes before each. Invariant: every call ends, with what the other
end returned, with what it raised, or with `ChannelClosed`.
"""

import asyncio
import pickle
import socket
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from typing import Any, Self, TypeAlias

Callee: TypeAlias = Callable[..., Any | Awaitable[Any]]


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """One end of a pair of sockets, on the event loop that is running."""

    def __init__(self, writer: asyncio.StreamWriter, callees: Mapping[str, Callee]) -> None:
        self._writer = writer
        self._callees = callees
        self._calls: dict[int, asyncio.Future[Any]] = {}
        self._numbers = count()
        self._tasks: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()
        """Set when the other end is gone."""

    @classmethod
    async def over(cls, end: socket.socket, callees: Mapping[str, Callee]) -> Self:
        """Return a channel that answers calls of `callees`, plain or asynchronous functions."""
        reader, writer = await asyncio.open_connection(sock=end)
        channel = cls(writer, callees)
        channel._keep(channel._read(reader))
        return channel

    async def call(self, name: str, *arguments: Any) -> Any:
        """Have the other end call one of its functions; return what it returns or raise what it raises."""
        if self.closed.is_set():
            raise ChannelClosed
        number = next(self._numbers)
        answer = self._calls[number] = asyncio.get_running_loop().create_future()
        self._send(("call", number, name, arguments))
        return await answer

    def close(self) -> None:
        """Let go of the other end, which notices."""
        self._writer.close()

    def _send(self, message: Any) -> None:
        self._send_pickled(pickle.dumps(message))

    def _send_pickled(self, data: bytes) -> None:
        self._writer.write(len(data).to_bytes(4) + data)

    def _keep(self, running: Any) -> None:
        task = asyncio.create_task(running)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                size = int.from_bytes(await reader.readexactly(4))
                # from a process forked from this one, over a socket that no other process has
                message = pickle.loads(await reader.readexactly(size))  # noqa: S301
                match message:
                    case ("call", number, name, arguments):
                        self._keep(self._answer(number, name, arguments))
                    case ("returned", number, value):
                        if not (answer := self._calls.pop(number)).done():  # nobody gave up waiting
                            answer.set_result(value)
                    case ("raised", number, error):
                        if not (answer := self._calls.pop(number)).done():
                            answer.set_exception(error)
        except (asyncio.IncompleteReadError, ConnectionError):
            self.closed.set()
            for answer in self._calls.values():
                if not answer.done():
                    answer.set_exception(ChannelClosed())

    async def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> None:
        try:
            value = self._callees[name](*arguments)
            if isinstance(value, Awaitable):
                value = await value
            data = pickle.dumps(("returned", number, value))
        except Exception as error:  # noqa: BLE001  (it is raised at the other end)
            data = pickle.dumps(("raised", number, _that_travels(error)))
        self._send_pickled(data)


def _that_travels(error: Exception) -> Exception:
    """Return an error as it is, or what it says where it cannot be made again at the other end."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301  (our own)
    except Exception:  # noqa: BLE001  (an error's class may do anything here)
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
