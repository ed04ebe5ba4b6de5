"""Through the recorder a client gets, byte for byte and piece by piece, what it gets without it.

The test is client and upstream at once (see `wire`) and goes in lockstep: a piece is sent when the one
before it has arrived. What the upstream reads is what the client wrote, and what the client reads is what
the upstream wrote, as on one connection; and the cassette holds the same.

Where mitmproxy itself changes something, mitmproxy without the recorder is asked too, and says the same:
these differences are the tests whose names begin with `test_mitmproxy`. They are

- the recorder's reverse mode gives the `Host` header the upstream's name (clients name the recorder);
- a request in absolute form (to a forward proxy) goes on in origin form, as a client without a proxy has it;
- `Expect: 100-continue` is answered by the proxy, at once, and not sent on;
- a head is written anew: exactly one space after the colon of a header, and a reason phrase, if empty,
  still has its space; spelling, order and number of the headers stay;
- chunks of the chunked coding are written anew: their extensions go, their sizes are in plain lower case,
  and a chunk that arrives in several reads of up to 64 kB goes on as several;
- in HTTP/2, DATA frames lose their padding.
"""

import gzip
import http.client
import json
import re
import ssl
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import brotli
import pytest
import trustme
import zstandard

from tests.e2e.processes import Process
from tests.e2e.recorded import all_of, ended
from tests.e2e.wire import HOST, Listener, Peer, chunk, dial, fields, head, secure
from tests.streams import stepfun
from tokentape import cassette

CHAT = "/v1/chat/completions"
EVENTS = stepfun().pieces
EVENT_STREAM = ("Content-Type", "text/event-stream; charset=utf-8")
CHUNKED = ("Transfer-Encoding", "chunked")


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


def port_of(process: Process) -> int:
    return int(process.url.rpartition(":")[2])


def tunnel(proxy: Process, listener: Listener, trusted: ssl.SSLContext, *alpn: str) -> Peer:
    """Return a TLS connection through CONNECT, made with the authority of mitmproxy."""
    peer = dial(port_of(proxy))
    peer.write(b"CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n" % (listener.address, listener.address))
    assert peer.read_to(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
    return secure(peer, trusted, alpn)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Return the option that makes mitmproxy trust our upstreams."""
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return "--set", f"ssl_verify_upstream_trusted_ca={path}"


@pytest.fixture(scope="module")
def routes(
    tmp_path_factory: pytest.TempPathFactory,
    home: dict[str, str],
    authority: trustme.CA,
    trusting: tuple[str, str],
) -> Iterator[dict[str, Route]]:
    folder = tmp_path_factory.mktemp("protocols")
    found: dict[str, Route] = {}
    with ExitStack() as stack:
        plain, tls, h2 = (
            stack.enter_context(Listener()),
            stack.enter_context(Listener(authority)),
            stack.enter_context(Listener(authority, ["h2"])),
        )

        def record(name: str, *options: str) -> tuple[Process, Path]:
            path = folder / f"{name}.tape"
            made = Process.tokentape("record", "-o", path, *options, *trusting, env=home)
            return stack.enter_context(made), path

        def reverse(name: str, listener: Listener) -> Route:
            process, path = record(name, "--upstream", listener.url)
            return Route(process, path, listener, lambda: dial(port_of(process)))

        found["reverse"] = reverse("reverse", plain)
        found["reverse-tls"] = reverse("reverse-tls", tls)
        proxy, path = record("forward", "--proxy")
        trusted = ssl.create_default_context(
            cafile=str(Path(home["HOME"], ".mitmproxy", "mitmproxy-ca-cert.pem"))
        )
        found["forward"] = Route(proxy, path, plain, lambda: dial(port_of(proxy)), absolute=True)
        found["forward-tls"] = Route(proxy, path, tls, lambda: tunnel(proxy, tls, trusted, "http/1.1"))
        found["forward-h2"] = Route(proxy, path, h2, lambda: tunnel(proxy, h2, trusted, "h2"))
        h2_reverse, path = record("reverse-h2", "--upstream", h2.url)
        found["reverse-h2"] = Route(
            h2_reverse, path, h2, lambda: secure(dial(port_of(h2_reverse)), trusted, ["h2"])
        )
        for number, route in enumerate(found.values()):
            route.count = 1000 * number  # some share a cassette
        yield found
    for route in found.values():
        assert route.via.returncode == 0
        assert "Traceback" not in route.via.stderr
        assert "crashed" not in route.via.stderr


@pytest.fixture(params=["reverse", "reverse-tls", "forward", "forward-tls"])
def route(request: pytest.FixtureRequest, routes: dict[str, Route]) -> Iterator[Route]:
    yield routes[request.param]
    routes[request.param].listener.forget()


@dataclass
class Answer:
    """What an upstream writes: a head, then the wire form of each piece, each in one write."""

    head: bytes
    pieces: tuple[bytes, ...] = ()
    frame: Callable[[bytes], bytes] = bytes
    last: bytes = b""
    closes: bool = False
    method: str = "POST"
    request: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)
    body: bytes = b'{"stream": true}'
    decoded: bytes | None = None


def chunked(pieces: tuple[bytes, ...], *headers: tuple[str, str], **more: object) -> Answer:
    made = head("HTTP/1.1 200 OK", *(headers or (EVENT_STREAM,)), CHUNKED)
    return Answer(made, pieces, frame=chunk, last=b"0\r\n\r\n", **more)  # type: ignore[arg-type]


def sized(status: str, body: bytes, *headers: tuple[str, str], **more: object) -> Answer:
    made = head(f"HTTP/1.1 {status}", *headers, ("Content-Length", str(len(body))))
    return Answer(made, (body,) if body else (), **more)  # type: ignore[arg-type]


def error(status: str, **more: object) -> Answer:
    body = json.dumps({"error": {"message": f"it is {status}", "type": "x"}}).encode()
    return sized(status, body, ("content-type", "application/json"), ("Retry-After", "1"), **more)


def compressed(name: str) -> Answer:
    """Every event in a piece of its own, flushed so that it can be read at once."""
    match name:
        case "br":
            brotli_stream = brotli.Compressor()
            pieces = [brotli_stream.process(event) + brotli_stream.flush() for event in EVENTS]
            pieces.append(brotli_stream.finish())
        case "zstd":
            zstd_stream = zstandard.ZstdCompressor().compressobj()
            flush = zstandard.COMPRESSOBJ_FLUSH_BLOCK
            pieces = [zstd_stream.compress(event) + zstd_stream.flush(flush) for event in EVENTS]
            pieces.append(zstd_stream.flush())
        case _:
            stream = zlib.compressobj(wbits=31 if name == "gzip" else 15)
            pieces = [stream.compress(event) + stream.flush(zlib.Z_SYNC_FLUSH) for event in EVENTS]
            pieces.append(stream.flush())
    made = chunked(tuple(pieces), EVENT_STREAM, ("Content-Encoding", name))
    made.decoded = b"".join(EVENTS)
    return made


BODY = b"".join(EVENTS)
ANSWERS: dict[str, Answer] = {
    "chunked": chunked(EVENTS),
    "single bytes": chunked(tuple(bytes([byte]) for byte in BODY[:80])),
    "chunked without a chunk": chunked(()),
    "content-length": Answer(
        head("HTTP/1.1 200 OK", EVENT_STREAM, ("content-length", str(len(BODY)))), EVENTS
    ),
    "close-delimited": Answer(
        head("HTTP/1.1 200 OK", EVENT_STREAM, ("Connection", "close")), EVENTS, closes=True
    ),
    "HTTP/1.0": Answer(head("HTTP/1.0 200 OK", EVENT_STREAM), EVENTS, closes=True),
    "json": sized("200 OK", b'{"choices": []}', ("Content-Type", "application/json")),
    "gzip": compressed("gzip"),
    "deflate": compressed("deflate"),
    "br": compressed("br"),
    "zstd": compressed("zstd"),
    "odd headers": chunked(
        EVENTS[:2],
        EVENT_STREAM,
        ("x-ODD-Case", "a, b ,c"),
        ("Via", "1.1 one"),
        ("via", "1.1 two"),
        ("X-Latin", "caf\xe9"),
        ("x-empty", ""),
        ("x-_!#$%&'*+.^`|~", "all that a name may hold"),
    ),
    "reason phrase": sized("200 Yes, quite", b"{}", ("a", "b")),
    "no content": Answer(head("HTTP/1.1 204 No Content", ("x-a", "b"))),
    "not modified": Answer(head("HTTP/1.1 304 Not Modified", ("ETag", '"x"'), ("Content-Length", "99"))),
    "head": Answer(
        head("HTTP/1.1 200 OK", EVENT_STREAM, ("Content-Length", "99")), method="HEAD", body=b""
    ),
    "head, chunked": Answer(head("HTTP/1.1 200 OK", EVENT_STREAM, CHUNKED), method="HEAD", body=b""),
    "nothing": sized("200 OK", b"", EVENT_STREAM),
    "get": chunked(EVENTS[:1], method="GET", body=b""),
    "request headers": chunked(
        EVENTS[:1],
        request=(("X-Odd", "a,b"), ("x-odd", "c , d"), ("ACCEPT", "*/*"), ("X-Latin", "caf\xe9"), ("user-agent", "")),
    ),
} | {
    status: error(status)
    for status in (
        "400 Bad Request",
        "401 Unauthorized",
        "404 Not Found",
        "413 Too Large, really",
        "429 Too Many Requests",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "529 Overloaded",
    )
}


def request_of(route: Route, answer: Answer, target: str) -> tuple[bytes, bytes]:
    """Return a request as the client writes it on this route, and as it would without the recorder."""
    headers = [("Host", route.listener.address.decode()), *answer.request]
    if answer.body:
        headers.append(("Content-Length", str(len(answer.body))))
    direct = head(f"{answer.method} {target} HTTP/1.1", *headers) + answer.body
    if route.absolute:
        return head(f"{answer.method} {route.listener.url}{target} HTTP/1.1", *headers) + answer.body, direct
    return direct, direct


def exchange_in_lockstep(route: Route, client: Peer, upstream: Peer | None, answer: Answer) -> tuple[Peer, bytes]:
    """Take an exchange through the recorder piece by piece; return the upstream's end and the target."""
    target = route.target()
    written, expected = request_of(route, answer, target)
    client.write(written)
    upstream = upstream or route.listener.accept()
    assert upstream.read(len(expected)) == expected
    upstream.write(answer.head)
    assert client.read(len(answer.head)) == answer.head
    for piece in answer.pieces:
        wire = answer.frame(piece)
        upstream.write(wire)
        assert client.read(len(wire)) == wire
    if answer.last:
        upstream.write(answer.last)
        assert client.read(len(answer.last)) == answer.last
    if answer.closes:
        upstream.close()
        assert client.read_all() == (b"", "closed")
    return upstream, target.encode()


def check_recorded(route: Route, answer: Answer, exchange: cassette.Exchange) -> None:
    request, response, end = exchange.request, exchange.response, exchange.end
    assert request
    assert response
    assert end
    host = (b"Host", route.listener.address)
    sent = tuple((name.encode(), value.encode("latin-1").strip()) for name, value in answer.request)
    length = ((b"Content-Length", b"%d" % len(answer.body)),) if answer.body else ()
    assert request.headers == (host, *sent, *length)
    assert (request.method, request.http_version, request.body) == (answer.method, "HTTP/1.1", answer.body)
    assert (request.host, request.port) == (HOST, route.listener.port)
    assert request.scheme == ("https" if route.listener.authority else "http")
    version, status, reason = answer.head.partition(b"\r\n")[0].split(b" ", 2)
    assert (response.http_version.encode(), b"%d" % response.status, response.reason) == (version, status, reason)
    assert response.headers == fields(answer.head)
    assert tuple(chunk.data for chunk in exchange.chunks) == answer.pieces
    assert (end.reason, end.detail, end.trailers) == ("complete", "", None)
    if answer.decoded is not None:
        pieces, trouble = cassette.decoded(exchange)
        assert (b"".join(pieces), trouble) == (answer.decoded, None)
        assert tuple(pieces[: len(EVENTS)]) == EVENTS


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_passes_in_lockstep_unchanged_and_is_recorded_so(route: Route, name: str):
    answer = ANSWERS[name]
    with route.dial() as client:
        upstream, target = exchange_in_lockstep(route, client, None, answer)
        upstream.close()
    if answer.method == "POST" or EVENT_STREAM[1].encode() in answer.head:
        check_recorded(route, answer, ended(route.path, target))
