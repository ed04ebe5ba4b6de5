"""Without a socket a client has what it has of the wire: the same bytes, times and errors, for each fault."""

import gzip
import json

import h11
import pytest

from tests.replay.recordings import exchange, tape
from tests.replay.testing.cassettes import event, request
from tokentape import replay as replays
from tokentape.replay import Timing, load, serve
from tokentape.replay._answering import Answering
from tokentape.replay._in_process import BrokenOff, InProcess, WasReset
from tokentape.replay.serving._requests import IncomingRequest

DONE = b"data: [DONE]\n\n"
STREAM = [(2, event("one")), (5, event("two") + event("three")), (9, DONE)]
PLAIN = (b"Content-Type", b"text/event-stream")
LENGTH = sum(len(data) for _, data in STREAM)
ZIPPED = gzip.compress(b"".join(data for _, data in STREAM))
CASSETTES = {
    "chunked": {"pieces": STREAM, "end_ms": 11},
    "with a length": {
        "pieces": STREAM,
        "headers": (PLAIN, (b"Content-Length", b"%d" % LENGTH)),
        "end_ms": 11,
    },
    "with trailers": {"pieces": STREAM, "trailers": ((b"X-Sum", b"1"),), "end_ms": 11},
    "encoded": {
        "pieces": [(2, ZIPPED[:20]), (6, ZIPPED[20:])],
        "headers": (PLAIN, (b"Content-Encoding", b"gzip")),
        "end_ms": 7,
    },
    "cut": {"pieces": STREAM[:2], "end_ms": 8, "end_reason": "upstream-error"},
    "cut short of its length": {
        "pieces": STREAM[:2],
        "headers": (PLAIN, (b"Content-Length", b"%d" % LENGTH)),
        "end_ms": 8,
        "end_reason": "upstream-error",
    },
    "left when all had come": {
        "pieces": STREAM[:2],
        "headers": (PLAIN, (b"Content-Length", b"%d" % sum(len(data) for _, data in STREAM[:2]))),
        "end_ms": 8,
        "end_reason": "client-closed",
    },
    "failed": {"status": None, "end_ms": 3, "end_reason": "upstream-error"},
    "left before the head": {"status": None, "end_ms": 3, "end_reason": "client-closed"},
    "HEAD": {"method": "HEAD", "headers": (PLAIN, (b"Content-Length", b"99")), "pieces": (), "end_ms": 3},
    "without content": {"status": 204, "reason": b"No Content", "headers": (), "pieces": (), "end_ms": 3},
    "empty": {"headers": (PLAIN, (b"Content-Length", b"0")), "pieces": (), "end_ms": 3},
}
PLACES = ("event=0", "event=2", "event=4", "byte=7", "piece=1", "time=4ms", "time=0ms")
FAULTS = [
    "",
    "status=429,retry-after=2",
    *(f"truncate@{place}" for place in PLACES),
    *(f"reset@{place}" for place in PLACES),
    "stall=3ms@event=1",
    "stall=3ms@byte=0",
    "keepalive-stall=4ms@event=1",
    "garble@event=2",
    "drop-done",
    "dup@event=2",
    "split=1",
    "split=50",
    "merge=64",
    "merge=100000",
    "slow-start=4ms",
    "error-event@event=2",
]
SPEEDS = [1.0, 3.0, "instant"]


def asked(method, content="hi"):
    body = b"" if method == "HEAD" else request(content)
    return IncomingRequest(
        method=method, target=b"/v1/chat/completions", http_version="1.1", body=body, keep_alive=True
    )


def recorded(path, name):
    found = CASSETTES[name]
    body = b"" if found.get("method") == "HEAD" else request()
    return tape(path / "a.tape", exchange(body=body, **found)), found.get("method", "POST")


def fields_of(headers):
    """The fields in any order, in lower case, without that of chunks, which a transport does not have."""
    return {(name.lower(), value) for name, value in headers} - {(b"transfer-encoding", b"chunked")}


def on_the_wire(repertoire, incoming, faults):
    """What an HTTP client of its own makes of the bytes of a connection, and when."""
    reply = Answering(repertoire, faults=faults).reply_to(incoming)
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=incoming.method, target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    head, body, error = None, {}, None
    parts = [*(reply.parts or [(0, reply.now)])]
    at = 0
    try:
        for at, data in parts:
            if data:
                client.receive_data(data)
            while (found := client.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                match found:
                    case h11.Response():
                        head = at, found.status_code, bytes(found.reason), fields_of(found.headers)
                    case h11.Data():
                        body[at] = body.get(at, b"") + bytes(found.data)
                    case h11.EndOfMessage():
                        return head, body, at, None
        assert reply.ending != "open"
        client.receive_data(b"")
        client.next_event()
    except h11.RemoteProtocolError:
        pass
    error = WasReset if reply.ending == "reset" else BrokenOff
    return head, body, at, error


def without_it(repertoire, incoming, faults):
    replay = InProcess(repertoire, faults=faults)
    begin = replay.clock.now_ns
    head, body, error = None, {}, None
    try:
        found, pieces = replay.answer(incoming, limit_s=None)
        head = replay.clock.now_ns - begin, found.status, found.reason, fields_of(found.headers)
        for piece in pieces:
            at = replay.clock.now_ns - begin
            body[at] = body.get(at, b"") + piece
    except (BrokenOff, WasReset) as raised:
        error = type(raised)
    return head, body, replay.clock.now_ns - begin, error


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CASSETTES)
def test_what_comes_when_and_how_it_ends_is_what_a_client_of_the_wire_has(tmp_path, name, fault, speed):
    path, method = recorded(tmp_path, name)
    repertoire = load(path, timing=Timing(speed=speed))
    for incoming in (asked(method), asked(method, "something else"), asked("PUT")):
        faults = [fault] if fault else []
        assert without_it(repertoire, incoming, faults) == on_the_wire(repertoire, incoming, faults)


@pytest.fixture(params=["httpx", "httpx2"])
def library(request):
    return pytest.importorskip(request.param)


def transport_of(library, path):
    return getattr(replays, f"{library.__name__}_transport")(path)


def seen_by(library, client, method, url):
    """The status, the bytes, and the kind of error that a client has."""
    body = b""
    status = None
    try:
        content = b"" if method == "HEAD" else request()
        with client.stream(method, url + "/chat/completions", content=content) as answer:
            status = answer.status_code
            for piece in answer.iter_raw():
                body += piece
    except library.TransportError as error:
        return status, body, type(error)
    return status, body, None


@pytest.mark.parametrize("name", CASSETTES)
def test_a_client_has_the_same_of_a_transport_and_of_a_server(tmp_path, library, name):
    path, method = recorded(tmp_path, name)
    transport = transport_of(library, path)
    with serve(path) as replay:
        for fault in FAULTS:
            transport.set_faults([fault] if fault else [])
            replay.set_faults([fault] if fault else [])
            with library.Client(transport=transport, timeout=None) as in_process:
                here = seen_by(library, in_process, method, transport.base_url)
            with library.Client(timeout=20, trust_env=False) as of_server:
                there = seen_by(library, of_server, method, replay.base_url)
            if fault.startswith("reset") and there[2] is library.ReadError:
                # A system may throw away what came before the reset, of the head too.
                assert here[1].startswith(there[1]), fault
                assert here[2] in (library.ReadError, None), fault
            else:
                assert here == there, fault


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_list_of_models_is_the_same(tmp_path, library, method):
    path, _ = recorded(tmp_path, "chunked")
    transport = transport_of(library, path)
    with (
        serve(path) as replay,
        library.Client(timeout=20, trust_env=False) as of_server,
        library.Client(transport=transport) as in_process,
    ):
        found = [
            client.request(method, url + "/models")
            for client, url in ((of_server, replay.base_url), (in_process, transport.base_url))
        ]
        assert transport.stats.models_listed == replay.stats.models_listed == 1
    assert found[0].content == found[1].content
    assert [answer.status_code for answer in found] == [200, 200]
    assert found[0].headers == found[1].headers
    if method == "GET":
        assert [model["id"] for model in json.loads(found[0].content)["data"]] == ["m"]
    else:
        assert found[0].content == b""
        assert int(found[0].headers["content-length"]) > 0


def test_without_a_transfer_its_codings_are_those_of_the_content(tmp_path):
    headers = (PLAIN, (b"Content-Encoding", b"br"), (b"Transfer-Encoding", b"gzip, chunked"))
    path = tape(tmp_path / "a.tape", exchange(body=request(), headers=headers, pieces=((2, ZIPPED),)))
    head, pieces = InProcess(load(path)).answer(asked("POST"), limit_s=None)
    assert head.headers == (PLAIN, (b"Content-Encoding", b"br"), (b"content-encoding", b"gzip"))
    assert b"".join(pieces) == ZIPPED
