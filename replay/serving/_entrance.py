"""The first bytes of a connection, which say what protocol it is to have.

Invariant: the protocol that is chosen gets every byte that came, in order, as if it had been there from the
beginning; and somebody knows of the connection at every moment (see `Party`).
"""

import asyncio
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from tokentape.replay.serving._party import Party
from tokentape.replay.serving._secured import HANDSHAKE_S


class Stage(NamedTuple):
    """What a connection goes on with: a protocol, or None for its end, after some words to the client.

    `rest` are the bytes that the protocol gets first.
    """

    protocol: asyncio.Protocol | None
    rest: bytes = b""
    say: bytes = b""


Look: TypeAlias = Callable[[bytes], Stage | None]
"""Takes all bytes that have come, at least one, and returns what follows, or None if more are needed."""


class Entrance(asyncio.Protocol):
    """The protocol of a connection until `look` has chosen another."""

    def __init__(
        self,
        look: Look,
        *,
        opened: Callable[[Party], None],
        lost: Callable[[Party], None],
        wait_s: float = HANDSHAKE_S,
    ) -> None:
        self._look = look
        self._opened = opened
        self._lost = lost
        self._wait_s = wait_s
        self._came = b""

    @property
    def busy(self) -> bool:
        """See `Party`: nothing is on its way."""
        return False

    def finish(self) -> None:
        """See `Party`."""
        self._transport.close()

    def abort(self) -> None:
        """See `Party`."""
        self._transport.abort()

    def end_if_overdue(self, now_ns: int) -> None:
        """See `Party`: it has a time limit of its own."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the client to speak first."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (of a stream)
        self._transport = transport
        self._too_slow = asyncio.get_running_loop().call_later(self._wait_s, transport.abort)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """End: the client vanished before it had said what it wanted."""
        self._too_slow.cancel()
        self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Look at what has come, and hand over once it is enough."""
        if self._transport.is_closing():
            return
        self._came += data
        stage = self._look(self._came)
        if stage is None:
            return
        self._too_slow.cancel()
        if stage.say:
            self._transport.write(stage.say)
        if stage.protocol is None:
            self._transport.close()
            return
        self._transport.set_protocol(stage.protocol)
        stage.protocol.connection_made(self._transport)
        self._lost(self)
        if stage.rest:
            stage.protocol.data_received(stage.rest)
