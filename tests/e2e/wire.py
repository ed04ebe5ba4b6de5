"""Both ends of a connection in the hands of the test: what is sent, and when, and what arrives.

The proxy between them is another process, so the test can play client and upstream in one thread: it sends
a piece at one end and reads it at the other before it sends the next. What is held back, merged or changed
on the way is then seen without a clock: the read fails or, after `TIMEOUT_S`, gives up.
"""

import contextlib
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable
from typing import Self

import trustme

TIMEOUT_S = 30.0
HOST = "127.0.0.1"


class Peer:
    """One end of a connection. Every wait ends after `TIMEOUT_S`."""

    def __init__(self, sock: socket.socket) -> None:
        sock.settimeout(TIMEOUT_S)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self._unread = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, data: bytes) -> None:
        self.sock.sendall(data)

    def read(self, size: int) -> bytes:
        """Return so many bytes, or fewer if the connection ends first."""
        self._fill(lambda: len(self._unread) >= size, f"{size} bytes")
        found, self._unread = self._unread[:size], self._unread[size:]
        return found

    def read_to(self, mark: bytes) -> bytes:
        """Return what comes up to and with a mark, or all of it if the connection ends first."""
        self._fill(lambda: mark in self._unread, repr(mark))
        end = self._unread.find(mark) + len(mark) if mark in self._unread else len(self._unread)
        found, self._unread = self._unread[:end], self._unread[end:]
        return found

    def read_all(self) -> tuple[bytes, str]:
        """Return what comes until the connection ends, and how it ended: `closed` or `reset`."""
        try:
            self._fill(lambda: False, "the end")
        except ConnectionResetError:
            return self._unread, "reset"
        return self._unread, "closed"

    def _fill(self, enough: Callable[[], bool], what: str) -> None:
        try:
            while not enough() and (data := self.sock.recv(1 << 18)):
                self._unread += data
        except TimeoutError:
            raise AssertionError(f"expected {what}, and nothing came after {self._unread!r}") from None

    def half_close(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def close_tls(self) -> None:
        """Close with what TLS says at its end, without which it was cut off."""
        assert isinstance(self.sock, ssl.SSLSocket)
        self.sock.settimeout(0.001)
        with contextlib.suppress(OSError):  # the other side's farewell is not waited for
            self.sock.unwrap()
        self.close()

    def reset(self) -> None:
        """Break the connection off with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        self.sock.close()


class Listener:
    """An upstream's port, with TLS if it has a certificate. `accept` gives its connections, in order."""

    def __init__(self, authority: trustme.CA | None = None, alpn: Iterable[str] = ("http/1.1",)) -> None:
        self._socket = socket.create_server((HOST, 0), backlog=512)
        self.port = self._socket.getsockname()[1]
        self.authority = authority
        self._context: ssl.SSLContext | None = None
        if authority is not None:
            self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._context.set_alpn_protocols(list(alpn))
            authority.issue_cert(HOST).configure_cert(self._context)
        self._accepted: queue.Queue[Peer] = queue.Queue()
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"http{'s' if self.authority else ''}://{HOST}:{self.port}"

    @property
    def address(self) -> bytes:
        return f"{HOST}:{self.port}".encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(TIMEOUT_S)
        self.forget()

    def accept(self) -> Peer:
        return self._accepted.get(timeout=TIMEOUT_S)

    def forget(self) -> None:
        """Close the connections that nobody has asked for."""
        while not self._accepted.empty():
            self._accepted.get().close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            sock.settimeout(TIMEOUT_S)
            if self._context is not None:
                try:
                    sock = self._context.wrap_socket(sock, server_side=True)
                except OSError:  # the other side does not like the certificate
                    sock.close()
                    continue
            self._accepted.put(Peer(sock))


def dial(port: int) -> Peer:
    return Peer(socket.create_connection((HOST, port), timeout=TIMEOUT_S))


def secure(peer: Peer, authorities: ssl.SSLContext, alpn: Iterable[str] = ("http/1.1",)) -> Peer:
    """Begin TLS as a client."""
    authorities.set_alpn_protocols(list(alpn))
    return Peer(authorities.wrap_socket(peer.sock, server_hostname=HOST))


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def head(line: str, *headers: tuple[str, str]) -> bytes:
    return "\r\n".join([line, *map(": ".join, headers), "", ""]).encode("latin-1")


def fields(of_head: bytes) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers of a head, as they are."""
    lines = of_head.removesuffix(b"\r\n\r\n").split(b"\r\n")[1:]
    return tuple((name, value) for name, _, value in (line.partition(b": ") for line in lines))


def dechunked(body: bytes) -> bytes:
    """Return what of a chunked body has arrived, which may end anywhere."""
    data = []
    at = 0
    while (end := body.find(b"\r\n", at)) > 0:
        size = int(body[at:end], 16)
        data.append(body[end + 2 : end + 2 + size])
        at = end + 2 + size + 2
    return b"".join(data)
