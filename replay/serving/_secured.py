"""TLS between a socket and the protocol of a connection, which it is a transport for.

What asyncio does with `ssl=` begins with the first byte of a connection, and keeps quiet about handshakes
that fail. Here TLS may begin after other bytes (CONNECT, or a look at the first byte), and a
handshake that fails is told to somebody. TLS itself is the standard library's (`ssl.MemoryBIO`).

Invariant: each `write` becomes one write to the socket, before it returns: what is paced stays so. The inner
protocol is connected once the handshake is over, and lost when the connection is.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from typing import Any

from tokentape.replay.serving._party import Party

_READ_BYTES = 1 << 16
HANDSHAKE_S = 60.0  # as asyncio's own


class Secured(asyncio.Protocol, asyncio.Transport):
    """A protocol for the socket's transport, and a transport for the protocol `inner` makes.

    `opened` and `lost` are told while it is a party of its own: until the handshake is over. `failed` is told
    what TLS said where a handshake went wrong.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        *,
        inner: Callable[[], asyncio.Protocol],
        opened: Callable[[Party], None],
        lost: Callable[[Party], None],
        failed: Callable[[str], None],
        handshake_s: float = HANDSHAKE_S,
    ) -> None:
        super().__init__()
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._make_inner = inner
        self._inner: asyncio.Protocol | None = None
        self._opened = opened
        self._lost = lost
        self._failed = failed
        self._handshake_s = handshake_s
        self._ended = False  # the peer sends no more
        self._said_farewell = False

    @property
    def busy(self) -> bool:
        """See `Party`: in a handshake nothing is on its way."""
        return False

    def finish(self) -> None:
        """See `Party`."""
        self._raw.close()

    # What the socket's transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, which the peer opens."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  (of a stream)
        self._raw = transport
        self._too_slow = asyncio.get_running_loop().call_later(self._handshake_s, transport.abort)
        self._opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hand the end on."""
        self._too_slow.cancel()
        if self._inner is None:
            self._lost(self)
        else:
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Go on with the handshake, or hand on what the bytes hold."""
        if self._said_farewell:
            return
        self._incoming.write(data)
        try:
            if self._inner is None:
                self._tls.do_handshake()
                self._connect_inner()
            self._hand_on()
        except ssl.SSLWantReadError:
            self._flush()
        except ssl.SSLError as error:
            self._fail(error)

    def eof_received(self) -> bool:
        """Hand on that the peer sends no more, with or without the farewell of TLS."""
        stays_open = self._end()
        if not stays_open:
            self._say_farewell()
        return stays_open

    def pause_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    # What the inner protocol calls.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt, and write at once."""
        if not data or self._said_farewell or self._raw.is_closing():
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:  # nothing more can be said: whoever paces streams has others to serve
            self._raw.abort()
            return
        self._flush()

    def write_eof(self) -> None:
        """Say that nothing more comes."""
        self._say_farewell()
        if self._raw.can_write_eof():
            self._raw.write_eof()

    def can_write_eof(self) -> bool:
        """Whether `write_eof` reaches the peer: it does."""
        return True

    def close(self) -> None:
        """Say that nothing more comes, and close once all is written."""
        self._say_farewell()
        self._raw.close()

    def abort(self) -> None:
        """Close at once."""
        self._raw.abort()

    def end_if_overdue(self, now_ns: int) -> None:
        """See `Party`: the handshake has a time limit of its own."""

    def is_closing(self) -> bool:
        """Whether it is being closed or is closed."""
        return self._raw.is_closing()

    def pause_reading(self) -> None:
        """Read no more; what was read already is still handed on."""
        self._raw.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        self._raw.resume_reading()

    def is_reading(self) -> bool:
        """Whether it reads."""
        return self._raw.is_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many encrypted bytes wait for the peer."""
        return self._raw.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return from which sizes on writing is resumed and paused."""
        return self._raw.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set from which sizes on writing is paused and resumed."""
        self._raw.set_write_buffer_limits(high, low)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the TLS, as `ssl_object`, or of the socket."""
        return self._tls if name == "ssl_object" else self._raw.get_extra_info(name, default)

    def _connect_inner(self) -> None:
        self._too_slow.cancel()
        self._flush()
        self._inner = self._make_inner()
        self._inner.connection_made(self)  # a party of its own: there is always one
        self._lost(self)

    def _hand_on(self) -> None:
        """Give the inner protocol all that the peer's bytes hold, in one piece."""
        found: list[bytes] = []
        try:
            while data := self._tls.read(_READ_BYTES):
                found.append(data)
            ended = True
        except ssl.SSLWantReadError:
            ended = False
        except ssl.SSLZeroReturnError:
            ended = True
        self._flush()  # tickets, new keys
        if found and self._inner is not None:
            self._inner.data_received(b"".join(found))
        if ended and not self._end():
            self.close()

    def _end(self) -> bool:
        """Tell the inner protocol once that the peer sends no more; return whether it stays open."""
        if self._ended or self._inner is None:
            return self._ended and not self._said_farewell
        self._ended = True
        return bool(self._inner.eof_received())

    def _fail(self, error: ssl.SSLError) -> None:
        self._flush()  # an alert says to the peer what was wrong
        if self._inner is None:
            self._failed(error.reason or str(error))
            self._raw.close()
        else:
            self._raw.abort()

    def _say_farewell(self) -> None:
        if self._said_farewell or self._raw.is_closing():
            return
        self._said_farewell = True
        with contextlib.suppress(ssl.SSLError):  # the peer's farewell is not waited for
            self._tls.unwrap()
        self._flush()

    def _flush(self) -> None:
        data = self._outgoing.read()
        if data and not self._raw.is_closing():
            self._raw.write(data)
