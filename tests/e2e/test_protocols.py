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
- a request goes on when all of it is there, its body, if it came in chunks, as one chunk;
- an interim answer (103) is passed on as if it were the answer, and what follows it is not: the client waits;
- trailers of HTTP/1 stop the answer before its last chunk: the client has every piece, and waits for the end;
- what follows an upgrade (101) passes, and is not of HTTP any more: it is not recorded;
- an HTTP/1 client that half-closes its connection is taken for gone;
- in HTTP/2, the pseudo-headers of a request (`:method` and so on) come in another order;
- in HTTP/2, DATA frames lose their padding; and before mitmproxy 12 the empty frame that ends a stream
  goes on as two, of which the second ends it.
"""

import json
import ssl
import sys
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from queue import Queue
from random import Random
from threading import Thread
from typing import Any

import brotli
import httpx
import pytest
import trustme
import zstandard

from tests.e2e.processes import Process
from tests.e2e.recorded import all_of, check, ended
from tests.e2e.routes import H2_HEAD, Route, h2_ends, h2_request, port_of
from tests.e2e.wire import HOST, Listener, Peer, chunk, dechunked, dial, fields, head
from tests.e2e.wire_h2 import Fields, H2Peer
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
    "two lengths": chunked(EVENTS[:2], EVENT_STREAM, ("Content-Length", "99")),
    "a name that is none": chunked(EVENTS[:2], EVENT_STREAM, ("x y", "1"), ("x(y)", "2")),
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


def test_a_connection_that_the_upstream_closes_in_between_is_opened_again(route: Route):
    recorded = []
    with route.dial() as client:
        for _ in range(2):
            upstream, target = exchange_in_lockstep(route, client, None, ANSWERS["json"])
            recorded.append(ended(route.path, target))
            upstream.close()
            assert route.via.returncode is None
    assert [exchange.response and exchange.response.connect is not None for exchange in recorded] == [
        True,
        True,
    ]


def test_what_is_not_recorded_passes_in_lockstep_too(route: Route):
    made = head("HTTP/1.1 200 OK", ("Content-Type", "text/plain"), CHUNKED)
    answer = Answer(made, (b"a", b"bc", b"def"), frame=chunk, last=b"0\r\n\r\n", method="GET", body=b"")
    with route.dial() as client:
        upstream, target = exchange_in_lockstep(route, client, None, answer)
        upstream.close()
    assert target not in [exchange.request and exchange.request.path for exchange in all_of(route.path)]


def test_requests_on_one_connection_share_its_name_and_only_the_first_tells_of_connecting(route: Route):
    recorded = []
    with route.dial() as client:
        upstream: Peer | None = None
        for name in ("chunked", "json", "429 Too Many Requests", "chunked"):
            upstream, target = exchange_in_lockstep(route, client, upstream, ANSWERS[name])
            recorded.append(ended(route.path, target))
        assert upstream
        upstream.close()
    with route.dial() as client:
        upstream, target = exchange_in_lockstep(route, client, None, ANSWERS["json"])
        recorded.append(ended(route.path, target))
        upstream.close()
    names = [exchange.request.connection for exchange in recorded if exchange.request]
    assert len({*names[:4]}) == 1
    assert names[4] != names[0]
    connects = [exchange.response.connect for exchange in recorded if exchange.response]
    assert [connect is not None for connect in connects] == [True, False, False, False, True]
    assert connects[0]
    assert (connects[0].tls_end is not None) == (route.listener.authority is not None)


def test_pipelined_requests_are_answered_and_recorded_in_their_order(route: Route):
    answer = ANSWERS["chunked"]
    targets = [route.target() for _ in range(3)]
    requests = [request_of(route, answer, target) for target in targets]
    whole = answer.head + b"".join(map(chunk, answer.pieces)) + answer.last
    with route.dial() as client:
        client.write(b"".join(written for written, _ in requests))
        upstream = route.listener.accept()
        for _, expected in requests:
            assert upstream.read(len(expected)) == expected
            upstream.write(whole)
            assert client.read(len(whole)) == whole
        upstream.close()
    recorded = [ended(route.path, target.encode()) for target in targets]
    assert [exchange.number for exchange in recorded] == sorted(exchange.number for exchange in recorded)
    assert len({exchange.request.connection for exchange in recorded if exchange.request}) == 1
    times = [moment for exchange in recorded for moment in (exchange.request.t, exchange.end.t)]  # type: ignore[union-attr]
    assert times == sorted(times)
    for exchange in recorded:
        check_recorded(route, answer, exchange)


def test_a_large_answer_in_one_go_is_whole(route: Route):
    body = Random(1).randbytes(8 << 20)
    answer = sized("200 OK", body, ("Content-Type", "application/json"))
    target = route.target()
    written, expected = request_of(route, answer, target)
    with route.dial() as client:
        client.write(written)
        upstream = route.listener.accept()
        assert upstream.read(len(expected)) == expected
        sending = Thread(target=upstream.write, args=(answer.head + body,))
        sending.start()
        assert client.read(len(answer.head) + len(body)) == answer.head + body
        sending.join()
        upstream.close()
    assert ended(route.path, target.encode()).body == body


def test_a_request_of_20_megabytes_is_sent_and_recorded_whole(route: Route):
    body = b'{"image": "' + b"iVBORw0KGgo" * 1_900_000 + b'"}'
    assert len(body) > 20_000_000
    answer = chunked(EVENTS[:2], body=body)
    with route.dial() as client:
        upstream, target = exchange_in_lockstep(route, client, None, answer)
        upstream.close()
    check_recorded(route, answer, ended(route.path, target))


def test_httpx_sees_and_sends_over_http2_what_it_does_without_the_recorder(
    routes: dict[str, Route], authority: trustme.CA, home: dict[str, str]
):
    route = routes["forward-h2"]
    target = route.target()
    of_upstream = ssl.create_default_context()
    authority.configure_trust(of_upstream)
    of_mitmproxy = ssl.create_default_context(
        cafile=str(Path(home["HOME"], ".mitmproxy", "mitmproxy-ca-cert.pem"))
    )
    looks = []
    for context, proxy in ((of_upstream, None), (of_mitmproxy, route.via.url)):
        seen: Queue[Any] = Queue()

        def look(seen: Queue[Any] = seen, context: Any = context, proxy: str | None = proxy) -> None:
            with (
                httpx.Client(http2=True, verify=context, proxy=proxy, trust_env=False, timeout=30) as client,
                client.stream("POST", f"{route.listener.url}{target}", json={"stream": True}) as response,
            ):
                seen.put((response.http_version, response.status_code, response.headers.raw))
                for piece in response.iter_raw():
                    seen.put(piece)
            seen.put(None)

        client = Thread(target=look)
        client.start()
        upstream = H2Peer(route.listener.accept(), client=False)
        stream = upstream.request()
        look_of_it = [upstream.next(stream), upstream.next(stream), upstream.next(stream)]
        upstream.headers(stream, H2_HEAD)
        look_of_it.append(seen.get(timeout=30))
        for piece in EVENTS:
            upstream.data(stream, piece)
            look_of_it.append(seen.get(timeout=30))
        upstream.data(stream, b"", end=True)
        while look_of_it[-1] is not None:
            look_of_it.append(seen.get(timeout=30))
        client.join(30)
        upstream.close()
        looks.append([what for what in look_of_it if what])  # without the empty frame of mitmproxy 11
        pseudo = look_of_it[0][1][:4]
        looks[-1][0] = {*pseudo}, look_of_it[0][1][4:]  # mitmproxy has an order of its own for them
    direct, recorded = looks
    assert recorded == direct
    assert direct[3][0] == "HTTP/2"
    assert tuple(chunk.data for chunk in ended(route.path, target.encode()).chunks) == EVENTS


@pytest.mark.parametrize("status", [b"204", b"304", b"429"])
def test_an_http2_answer_without_a_body_is_its_head(h2_route: Route, status: bytes):
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    made = ((b":status", status), (b"retry-after", b"1"))
    upstream.headers(of_upstream, made, end=True)
    assert [client.next(stream) for _ in range(2)] == [("headers", made), ("end",)]
    exchange = ended(h2_route.path, target.encode())
    assert exchange.response
    assert (exchange.response.status, exchange.chunks) == (int(status), [])
    client.close()
    upstream.close()


def test_an_http2_request_of_20_megabytes_is_sent_and_recorded_whole(h2_route: Route):
    body = b'{"image": "' + b"iVBORw0KGgo" * 1_900_000 + b'"}'
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target, body)
    upstream.headers(of_upstream, H2_HEAD)
    upstream.data(of_upstream, EVENTS[0], end=True)
    assert [client.next(stream)[0] for _ in range(3)] == ["headers", "data", "end"]
    exchange = ended(h2_route.path, target.encode())
    assert exchange.request
    assert exchange.request.body == body
    client.close()
    upstream.close()


def test_two_hundred_streams_at_once_do_not_mix_and_none_waits_for_another(routes: dict[str, Route]):
    route = routes["reverse"]
    random = Random(200)
    clients, targets = {}, []
    made = head("HTTP/1.1 200 OK", EVENT_STREAM, CHUNKED)
    for _ in range(200):
        target = route.target()
        targets.append(target.encode())
        clients[target.encode()] = client = route.dial()
        client.write(head(f"POST {target} HTTP/1.1", ("Host", "x"), ("Content-Length", "0")))
    upstreams = {}
    for _ in clients:
        upstream = route.listener.accept()
        upstreams[upstream.read_to(b"\r\n\r\n").split(b" ", 2)[1]] = upstream
    pieces = {target: [b"%s %d" % (target, number) for number in range(10)] for target in targets}
    turns = random.sample([target for target in targets for _ in range(10)], 2000)
    left = {target: iter(pieces[target]) for target in targets}
    for target in targets:
        upstreams[target].write(made)
        assert clients[target].read(len(made)) == made
    for target in turns:
        wire = chunk(next(left[target]))
        upstreams[target].write(wire)
        assert clients[target].read(len(wire)) == wire
    for target in targets:
        upstreams[target].write(b"0\r\n\r\n")
        assert clients[target].read(5) == b"0\r\n\r\n"
        upstreams[target].close()
        clients[target].close()
    ended(route.path, targets[-1])
    recorded = {exchange.request.path: exchange for exchange in all_of(route.path) if exchange.request}
    for target in targets:
        check(recorded[target])
        assert [piece.data for piece in recorded[target].chunks] == pieces[target]


def test_a_hundred_streams_of_one_http2_connection_do_not_mix(h2_route: Route):
    first = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, first)
    ends = {first: (stream, of_upstream)}
    for _ in range(99):  # mitmproxy, as most servers, lets a client have 100 at a time
        target = h2_route.target()
        stream = client.ask(h2_request(h2_route, target), b"{}")
        of_upstream = upstream.request()
        assert (b":path", target.encode()) in upstream.next(of_upstream)[1]
        ends[target] = stream, of_upstream
    for stream, of_upstream in ends.values():
        upstream.headers(of_upstream, H2_HEAD)
        assert client.next(stream) == ("headers", H2_HEAD)
    for target in Random(100).sample([*ends] * 5, 500):
        stream, of_upstream = ends[target]
        upstream.data(of_upstream, target.encode())
        assert client.next(stream) == ("data", target.encode())
    for stream, of_upstream in ends.values():
        upstream.headers(of_upstream, ((b"x-end", b"1"),), end=True)
        assert [client.next(stream)[0] for _ in range(2)] == ["trailers", "end"]
    recorded = {exchange.request.path: exchange for exchange in all_of(h2_route.path) if exchange.request}
    for target in ends:
        check(recorded[target.encode()])
        assert [piece.data for piece in recorded[target.encode()].chunks] == [target.encode()] * 5
    assert len({recorded[target.encode()].request.connection for target in ends}) == 1  # type: ignore[union-attr]
    client.close()
    upstream.close()


def test_what_follows_an_upgrade_passes_in_lockstep(route: Route):
    answer = Answer(
        head("HTTP/1.1 101 Switching Protocols", ("Upgrade", "other/1"), ("Connection", "Upgrade")),
        request=(("Upgrade", "other/1"), ("Connection", "Upgrade")),
        body=b"",
    )
    with route.dial() as client:
        upstream, target = exchange_in_lockstep(route, client, None, answer)
        for number in range(5):
            client.write(b"to %d" % number)
            assert upstream.read(4) == b"to %d" % number
            upstream.write(b"from %d" % number)
            assert client.read(6) == b"from %d" % number
        upstream.close()
    exchange = ended(route.path, target)
    assert exchange.response
    assert (exchange.response.status, exchange.chunks) == (101, [])


# What mitmproxy changes, with the recorder and without it.


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Iterator[Route]:
    """mitmproxy without the recorder, as near to it as it can be: it streams, and connects when asked to."""
    folder = tmp_path_factory.mktemp("alone")
    script = folder / "streams.py"
    script.write_text("def responseheaders(flow):\n    flow.response.stream = True\n")
    mitmdump = Path(sys.executable).with_name("mitmdump")
    with Listener() as listener:
        options = ("--set", "connection_strategy=lazy", "--listen-host", HOST, "-p", "0")
        mode = ("--mode", f"reverse:{listener.url}")
        with Process(mitmdump, "-s", script, *mode, *options, env=home) as process:
            yield Route(process, folder / "none.tape", listener, lambda: dial(port_of(process)))


@pytest.fixture(params=["recorder", "mitmproxy alone"])
def either(request: pytest.FixtureRequest, routes: dict[str, Route]) -> Iterator[Route]:
    found = routes["reverse"] if request.param == "recorder" else request.getfixturevalue("alone")
    yield found
    found.listener.forget()


def ask(route: Route, *headers: tuple[str, str], body: bytes = b"{}") -> tuple[Peer, Peer, bytes, bytes]:
    """Send a request; return client, upstream, the request as it came there, and its target."""
    target = route.target()
    client = route.dial()
    fields = headers or (("Content-Length", str(len(body))),)
    client.write(head(f"POST {target} HTTP/1.1", ("Host", "recorder.example"), *fields) + body)
    upstream = route.listener.accept()
    return client, upstream, upstream.read_to(b"\r\n\r\n"), target.encode()


LINE = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("sent", "got"),
    [
        (
            LINE + b"A:b\r\nC:  d \r\nContent-Length: 1\r\n\r\nx",
            LINE + b"A: b\r\nC: d\r\nContent-Length: 1\r\n\r\nx",
        ),
        (b"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\nx", b"HTTP/1.1 200 \r\nContent-Length: 1\r\n\r\nx"),
        (
            LINE + b"Transfer-Encoding: chunked\r\n\r\n0B;name=value\r\n0123456789a\r\n000\r\n\r\n",
            LINE + b"Transfer-Encoding: chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n",
        ),
    ],
    ids=["spaces", "no reason", "chunks"],
)
def test_mitmproxy_writes_heads_and_chunks_anew(either: Route, sent: bytes, got: bytes):
    client, upstream, _, _ = ask(either)
    upstream.write(sent)
    assert client.read(len(got)) == got
    client.close()
    upstream.close()


def test_mitmproxy_cuts_a_chunk_where_its_reads_end(either: Route):
    body = Random(1).randbytes(300_000)
    client, upstream, _, target = ask(either)
    made = head("HTTP/1.1 200 OK", EVENT_STREAM, CHUNKED)
    upstream.write(made + chunk(body) + b"0\r\n\r\n")
    assert client.read(len(made)) == made
    received = client.read_to(b"\r\n0\r\n\r\n")
    assert dechunked(received) == body
    assert not received.startswith(b"%x\r\n" % len(body))
    if either.path.exists():
        assert ended(either.path, target).body == body
    client.close()
    upstream.close()


def test_mitmproxy_takes_a_client_that_half_closes_for_gone(either: Route):
    client, upstream, _, target = ask(either)
    client.half_close()
    assert client.read_all() == (b"", "closed")
    if either.path.exists():
        end = ended(either.path, target).end
        assert end
        assert end.reason == "client-closed"
    client.close()
    upstream.close()


def test_mitmproxy_names_the_upstream_in_the_host_header(either: Route):
    client, upstream, came, target = ask(either)
    assert came == head(
        f"POST {target.decode()} HTTP/1.1",
        ("Host", either.listener.address.decode()),
        ("Content-Length", "2"),
    )
    client.close()
    upstream.close()


def test_mitmproxy_answers_an_expectation_at_once_and_the_cassette_tells_that_it_was_there(either: Route):
    target = either.target()
    client = either.dial()
    fields = ("X-A", "1"), ("Expect", "100-continue"), ("Content-Length", "2")
    client.write(head(f"POST {target} HTTP/1.1", ("Host", "x"), *fields))
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.read(len(interim)) == interim
    client.write(b"{}")
    upstream = either.listener.accept()
    host = ("Host", either.listener.address.decode())
    expected = head(f"POST {target} HTTP/1.1", host, fields[0], fields[2]) + b"{}"
    assert upstream.read(len(expected)) == expected
    answer = ANSWERS["json"].head + ANSWERS["json"].pieces[0]
    upstream.write(answer)
    assert client.read(len(answer)) == answer
    if either.path.exists():
        request = ended(either.path, target.encode()).request
        assert request
        assert [name for name, _ in request.headers] == [b"Host", b"X-A", b"Expect", b"Content-Length"]
    client.close()
    upstream.close()


def test_mitmproxy_sends_a_chunked_request_as_one_chunk(either: Route):
    parts = [b'{"messages"', b": [", b"]}"]
    wire = b"".join(map(chunk, parts)) + b"0\r\n\r\n"
    client, upstream, came, target = ask(either, ("Transfer-Encoding", "chunked"), body=wire)
    assert came.endswith(b"\r\nTransfer-Encoding: chunked\r\n\r\n")
    expected = chunk(b"".join(parts)) + b"0\r\n\r\n"
    assert upstream.read(len(expected)) == expected
    upstream.write(ANSWERS["nothing"].head)
    assert client.read(len(ANSWERS["nothing"].head)) == ANSWERS["nothing"].head
    if either.path.exists():
        request = ended(either.path, target).request
        assert request
        assert request.body == b"".join(parts)
    client.close()
    upstream.close()


def test_mitmproxy_takes_an_interim_answer_for_the_answer(either: Route):
    client, upstream, _, target = ask(either)
    interim = head("HTTP/1.1 103 Early Hints", ("Link", "</a>; rel=preload"))
    upstream.write(interim)
    assert client.read(len(interim)) == interim
    if either.path.exists():
        exchange = ended(either.path, target)
        assert exchange.response
        assert (exchange.response.status, exchange.chunks) == (103, [])
    client.close()
    upstream.close()


def test_mitmproxy_stops_at_trailers_of_http1_and_the_cassette_has_every_piece(
    tmp_path: Path, home: dict[str, str], alone: Route
):
    path = tmp_path / "a.tape"
    answer = ANSWERS["chunked"]
    whole = answer.head + b"".join(map(chunk, answer.pieces))
    with Listener() as listener:
        recorder = Process.tokentape("record", "--upstream", listener.url, "-o", path, env=home)
        with recorder:
            recorded = Route(recorder, path, listener, lambda: dial(port_of(recorder)))
            for route in (recorded, alone):
                client, upstream, _, target = ask(route)
                upstream.write(whole + b"0\r\nX-Checksum: 1\r\n\r\n")
                assert client.read(len(whole)) == whole
                client.sock.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    client.sock.recv(1)
                client.close()
                upstream.close()
                if route is recorded:
                    exchange = ended(path, target)
    assert tuple(piece.data for piece in exchange.chunks) == answer.pieces
    assert exchange.end
    assert exchange.end.reason == "client-closed"
    assert "HTTP trailers are not implemented yet" in recorder.stderr


def test_mitmproxy_drops_the_padding_of_http2(h2_route: Route):
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    upstream.headers(of_upstream, H2_HEAD)
    upstream.data(of_upstream, EVENTS[0], padding=99)
    upstream.data(of_upstream, EVENTS[1], end=True, padding=0)
    expected = [("headers", H2_HEAD), ("data", EVENTS[0]), ("data", EVENTS[1]), ("end",)]
    assert [client.next(stream) for _ in range(4)] == expected
    exchange = ended(h2_route.path, target.encode())
    assert tuple(piece.data for piece in exchange.chunks) == EVENTS[:2]
    client.close()
    upstream.close()
