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
- in HTTP/2, DATA frames lose their padding; and before mitmproxy 12 the empty frame that ends a stream
  goes on as two, of which the second ends it.
"""

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import brotli
import pytest
import zstandard

from tests.e2e.recorded import ended
from tests.e2e.routes import H2_HEAD, Route, h2_ends
from tests.e2e.wire import HOST, Peer, chunk, fields, head
from tests.e2e.wire_h2 import Fields
from tests.streams import stepfun
from tokentape import cassette

EVENTS = stepfun().pieces
MITMPROXY = int(version("mitmproxy").partition(".")[0])
EVENT_STREAM = ("Content-Type", "text/event-stream; charset=utf-8")
CHUNKED = ("Transfer-Encoding", "chunked")


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
    "head": Answer(head("HTTP/1.1 200 OK", EVENT_STREAM, ("Content-Length", "99")), method="HEAD", body=b""),
    "head, chunked": Answer(head("HTTP/1.1 200 OK", EVENT_STREAM, CHUNKED), method="HEAD", body=b""),
    "nothing": sized("200 OK", b"", EVENT_STREAM),
    "get": chunked(EVENTS[:1], method="GET", body=b""),
    "request headers": chunked(
        EVENTS[:1],
        request=(
            ("X-Odd", "a,b"),
            ("x-odd", "c , d"),
            ("ACCEPT", "*/*"),
            ("X-Latin", "caf\xe9"),
            ("user-agent", ""),
        ),
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


def exchange_in_lockstep(
    route: Route, client: Peer, upstream: Peer | None, answer: Answer
) -> tuple[Peer, bytes]:
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
    assert (response.http_version.encode(), b"%d" % response.status, response.reason) == (
        version,
        status,
        reason,
    )
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


@pytest.mark.parametrize("trailers", [None, ((b"x-checksum", b"1"), (b"x-checksum", b"2"))])
def test_http2_passes_frame_by_frame_in_lockstep(h2_route: Route, trailers: Fields | None):
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    upstream.headers(of_upstream, H2_HEAD)
    assert client.next(stream) == ("headers", H2_HEAD)
    for piece in EVENTS:
        upstream.data(of_upstream, piece)
        assert client.next(stream) == ("data", piece)
    if trailers is not None:
        upstream.headers(of_upstream, trailers, end=True)
        assert client.next(stream) == ("trailers", trailers)
    else:
        upstream.data(of_upstream, b"", end=True)
        if MITMPROXY < 12:
            assert client.next(stream) == ("data", b"")
    assert client.next(stream) == ("end",)
    exchange = ended(h2_route.path, target.encode())
    assert exchange.request
    assert exchange.response
    assert exchange.end
    assert exchange.request.http_version == exchange.response.http_version == "HTTP/2.0"
    assert exchange.request.headers == ((b"x-b", b"2"), (b"accept", b"*/*"), (b"x-b", b"1"))
    assert (exchange.request.host, exchange.request.port) == (HOST, h2_route.listener.port)
    assert (exchange.request.method, exchange.request.body) == ("POST", b'{"stream": true}')
    assert (exchange.response.status, exchange.response.reason) == (200, b"")
    assert exchange.response.headers == H2_HEAD[1:]
    assert tuple(chunk.data for chunk in exchange.chunks) == EVENTS
    assert (exchange.end.reason, exchange.end.trailers) == ("complete", trailers)
    client.close()
    upstream.close()
