"""The ways from a client through the recorder to an upstream; the fixture `routes` has one of each."""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.processes import Process
from tests.e2e.wire import Listener, Peer, dial, secure
from tests.e2e.wire_h2 import Fields, H2Peer
from tokentape.replay import Replay

CHAT = "/v1/chat/completions"


@dataclass
class Route:
    """A way from a client to an upstream: `via` is the recorder's process, `path` its cassette."""

    via: Process
    path: Path
    listener: Listener
    dial: Callable[[], Peer]
    absolute: bool = False
    count: int = 0

    def target(self) -> str:
        """Return a request target that was not used before."""
        self.count += 1
        return f"{CHAT}?case={self.count}"


def port_of(server: Process | Replay) -> int:
    return int(server.url.rpartition(":")[2])


def tunnel(proxy: Process, listener: Listener, trusted: ssl.SSLContext, *alpn: str) -> Peer:
    """Return a TLS connection through CONNECT, made with the authority of mitmproxy."""
    peer = dial(port_of(proxy))
    peer.write(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (listener.address, listener.address))
    assert peer.read_to(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
    return secure(peer, trusted, alpn)


def h2_request(route: Route, target: str, *headers: tuple[bytes, bytes]) -> Fields:
    return (
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":path", target.encode()),
        (b":authority", route.listener.address),
        *headers,
    )


H2_HEAD: Fields = (
    (b":status", b"200"),
    (b"content-type", b"text/event-stream"),
    (b"x-a", b"1"),
    (b"x-a", b"2"),
)


def h2_ends(route: Route, target: str, body: bytes = b'{"stream": true}') -> tuple[H2Peer, H2Peer, int, int]:
    """Send a request and return client and upstream, each with its stream, once the request is there."""
    client = H2Peer(route.dial(), client=True)
    fields = h2_request(route, target, (b"x-b", b"2"), (b"accept", b"*/*"), (b"x-b", b"1"))
    stream = client.ask(fields, body)
    upstream = H2Peer(route.listener.accept(), client=False)
    of_upstream = upstream.request()
    assert upstream.next(of_upstream) == ("headers", fields)
    received = b""
    while (what := upstream.next(of_upstream)) != ("end",):
        received += what[1]
    assert received == body
    return client, upstream, stream, of_upstream
