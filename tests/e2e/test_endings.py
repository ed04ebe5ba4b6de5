"""Every way in which an exchange ends, caused by the test, is told by the cassette with its time."""

import contextlib
import re
import signal
import socket
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
import trustme

from tests.e2e.processes import Process
from tests.e2e.recorded import all_of, ended
from tests.e2e.routes import CHAT, H2_HEAD, Route, h2_ends, h2_request, port_of
from tests.e2e.wire import HOST, Listener, Peer, chunk, dial, head
from tests.streams import stepfun
from tokentape import cassette

MITMPROXY = int(version("mitmproxy").partition(".")[0])
CANCEL, INTERNAL_ERROR = 8, 2
FIRST, SECOND, *_ = stepfun().pieces
EVENT_STREAM = ("Content-Type", "text/event-stream")
CHUNKED = head("HTTP/1.1 200 OK", EVENT_STREAM, ("Transfer-Encoding", "chunked"))
SIZED = head("HTTP/1.1 200 OK", EVENT_STREAM, ("Content-Length", "100000"))
TO_THE_END = head("HTTP/1.1 200 OK", EVENT_STREAM, ("Connection", "close"))


def ask(route: Route) -> tuple[Peer, Peer, bytes]:
    """Send a request; return client and upstream once it is there, and its target."""
    target = route.target()
    prefix = route.listener.url if route.absolute else ""
    client = route.dial()
    host = ("Host", route.listener.address.decode())
    client.write(head(f"POST {prefix}{target} HTTP/1.1", host, ("Content-Length", "2")) + b"{}")
    upstream = route.listener.accept()
    assert upstream.read_to(b"\r\n\r\n{}").endswith(b"{}")
    return client, upstream, target.encode()


def pass_on(upstream: Peer, client: Peer, *wire: bytes) -> None:
    for data in wire:
        upstream.write(data)
        assert client.read(len(data)) == data


def ending(exchange: cassette.Exchange) -> tuple[str, str]:
    assert exchange.end
    return exchange.end.reason, exchange.end.detail


# The client goes.


@pytest.mark.parametrize("leave", [Peer.close, Peer.reset, Peer.half_close], ids=lambda leave: leave.__name__)
@pytest.mark.parametrize("came", ["nothing", "the head", "a piece"])
def test_a_client_that_goes_is_told_with_all_that_it_got(
    route: Route, came: str, leave: Callable[[Peer], None]
):
    client, upstream, target = ask(route)
    if came != "nothing":
        pass_on(upstream, client, CHUNKED)
    if came == "a piece":
        pass_on(upstream, client, chunk(FIRST))
    leave(client)
    assert upstream.read_all()[0] == b""  # the upstream's connection ends, too
    exchange = ended(route.path, target)
    assert ending(exchange) == ("client-closed", "Client disconnected.")
    assert (exchange.response is None) == (came == "nothing")
    assert exchange.body == (FIRST if came == "a piece" else b"")
    client.close()
    upstream.close()


@pytest.mark.parametrize("came", ["nothing", "a piece"])
def test_an_http2_client_that_resets_a_stream_has_left_it_and_its_other_streams_go_on(
    h2_route: Route, came: str
):
    target, other = h2_route.target(), h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    second = client.ask(h2_request(h2_route, other), b"{}")
    second_of_upstream = upstream.request()
    if came == "a piece":
        upstream.headers(of_upstream, H2_HEAD)
        upstream.data(of_upstream, FIRST)
        assert [client.next(stream)[0] for _ in range(2)] == ["headers", "data"]
    client.reset(stream, CANCEL)
    assert upstream.next(of_upstream) == ("reset", CANCEL)
    exchange = ended(h2_route.path, target.encode())
    assert ending(exchange) == ("client-closed", "stream reset by client (CANCEL)")
    assert exchange.body == (FIRST if came == "a piece" else b"")
    upstream.headers(second_of_upstream, H2_HEAD)
    upstream.data(second_of_upstream, SECOND, end=True)
    assert [client.next(second)[0] for _ in range(2)] == ["headers", "data"]
    exchange = ended(h2_route.path, other.encode())
    assert (exchange.body, ending(exchange)) == (SECOND, ("complete", ""))
    client.close()
    upstream.close()


def test_an_http2_client_whose_connection_is_gone_has_left_every_stream(h2_route: Route):
    target, other = h2_route.target(), h2_route.target()
    client, upstream, _, _ = h2_ends(h2_route, target)
    client.ask(h2_request(h2_route, other), b"{}")
    upstream.request()
    client.close()
    for each in (target, other):
        assert ending(ended(h2_route.path, each.encode()))[0] == "client-closed"
    upstream.close()


def test_half_a_request_makes_no_exchange_and_is_counted(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    options = ("--upstream", f"http://{HOST}:9", "-o", path)
    with Process.tokentape("record", *options, env=home) as recorder:
        for part in (
            b"POST /v1/chat/compl",
            b"POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 9\r\n\r\n{",
        ):
            with dial(port_of(recorder)) as client:
                client.write(part)
                client.half_close()
                assert client.read_all() == (b"", "closed")
    assert all_of(path) == []
    assert "1 request given up by the client before being sent on" in recorder.stderr


def test_clients_that_leave_at_once_are_in_the_cassette_or_counted(tmp_path: Path, home: dict[str, str]):
    """mitmproxy 11 does not send such a request on; later versions may."""
    path = tmp_path / "a.tape"
    with Listener() as listener:
        recorder = Process.tokentape("record", "--upstream", listener.url, "-o", path, env=home)
        with recorder:
            route = Route(recorder, path, listener, lambda: dial(port_of(recorder)))
            request = head("POST {} HTTP/1.1", ("Host", "x"), ("Content-Length", "2")) + b"{}"
            for _ in range(20):
                with route.dial() as client:
                    client.write(request.replace(b"{}", route.target().encode(), 1))
            with route.dial() as client:  # once this one is served, the others were
                client.write(request.replace(b"{}", b"/last", 1))
                while (upstream := listener.accept()).read_to(b"{}").split(b" ")[1:2] != [b"/last"]:
                    upstream.close()
                answer = head("HTTP/1.1 204 No Content")
                pass_on(upstream, client, answer)
                upstream.close()
    recorded = all_of(path)
    assert {ending(exchange)[0] for exchange in recorded} <= {"client-closed"}
    counted = re.search(r"(\d+) requests? given up", recorder.stderr)
    assert len(recorded) + (int(counted[1]) if counted else 0) == 20


# The upstream goes.


@pytest.mark.parametrize("leave", [Peer.close, Peer.reset], ids=lambda leave: leave.__name__)
@pytest.mark.parametrize("of_head", [CHUNKED, SIZED, TO_THE_END], ids=["chunked", "sized", "to the end"])
def test_an_upstream_that_breaks_off_is_told_with_all_that_came(
    route: Route, of_head: bytes, leave: Callable[[Peer], None]
):
    client, upstream, target = ask(route)
    pass_on(upstream, client, of_head, chunk(FIRST) if of_head is CHUNKED else FIRST)
    if route.listener.authority and leave is Peer.close:
        upstream.close_tls()
    else:
        leave(upstream)
    assert client.read_all() == (b"", "closed")
    exchange = ended(route.path, target)
    assert exchange.body == FIRST
    reason, detail = ending(exchange)
    if of_head is TO_THE_END and leave is Peer.close:
        assert (reason, detail) == ("complete", "")
    else:
        assert reason == "upstream-error"
        assert detail
    client.close()


@pytest.mark.parametrize("leave", [Peer.close, Peer.reset], ids=lambda leave: leave.__name__)
@pytest.mark.parametrize("came", [b"", b"HTTP/1.1 200 OK\r\nConten"], ids=["nothing", "half a head"])
def test_an_upstream_that_breaks_off_before_its_head_is_a_502_for_the_client(
    route: Route, came: bytes, leave: Callable[[Peer], None]
):
    client, upstream, target = ask(route)
    upstream.write(came)
    leave(upstream)
    received, how = client.read_all()
    assert received.startswith(b"HTTP/1.1 502 Bad Gateway\r\nServer: mitmproxy")
    assert how == "closed"
    exchange = ended(route.path, target)
    assert exchange.response is None
    reason, detail = ending(exchange)
    assert reason == "upstream-error"
    assert ("unexpected server response" if came else "server closed connection") in detail
    client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"what is this?\r\n\r\n",
        b"HTTP/1.1 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_an_answer_that_is_none_is_a_502_for_the_client_and_told(routes: dict[str, Route], answer: bytes):
    route = routes["reverse"]
    client, upstream, target = ask(route)
    upstream.write(answer)
    assert client.read_all()[0].startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    exchange = ended(route.path, target)
    assert ending(exchange)[0] == "upstream-error"
    assert exchange.chunks == []
    client.close()
    upstream.close()


def test_chunks_that_are_none_end_the_exchange_with_what_came_before(routes: dict[str, Route]):
    route = routes["reverse"]
    client, upstream, target = ask(route)
    pass_on(upstream, client, CHUNKED, chunk(FIRST))
    upstream.write(b"not a size\r\n")
    assert client.read_all() == (b"", "closed")
    exchange = ended(route.path, target)
    assert exchange.body == FIRST
    reason, detail = ending(exchange)
    assert reason == "upstream-error"
    assert "protocol error" in detail
    client.close()
    upstream.close()


@pytest.mark.parametrize("code", [INTERNAL_ERROR, CANCEL])
@pytest.mark.parametrize("came", ["nothing", "a piece"])
def test_an_http2_upstream_that_resets_a_stream_is_not_taken_for_the_client(
    h2_route: Route, came: str, code: int
):
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    if came == "a piece":
        upstream.headers(of_upstream, H2_HEAD)
        upstream.data(of_upstream, FIRST)
        assert [client.next(stream)[0] for _ in range(2)] == ["headers", "data"]
    upstream.reset(of_upstream, code)
    # Where nothing came, mitmproxy answers with a 502, but since version 12 passes a CANCEL on.
    passed_on = came == "a piece" or (code == CANCEL and MITMPROXY >= 12)
    assert client.next(stream)[0] == ("reset" if passed_on else "headers")
    exchange = ended(h2_route.path, target.encode())
    reason, detail = ending(exchange)
    assert reason == "upstream-error"
    assert detail.startswith("stream reset by upstream (")
    assert exchange.body == (FIRST if came == "a piece" else b"")
    client.close()
    upstream.close()


def test_an_http2_upstream_whose_connection_is_gone_is_told(h2_route: Route):
    target = h2_route.target()
    client, upstream, stream, of_upstream = h2_ends(h2_route, target)
    upstream.headers(of_upstream, H2_HEAD)
    upstream.data(of_upstream, FIRST)
    assert [client.next(stream)[0] for _ in range(2)] == ["headers", "data"]
    upstream.close()
    assert client.next(stream)[0] == "reset"
    exchange = ended(h2_route.path, target.encode())
    assert (exchange.body, ending(exchange)) == (FIRST, ("upstream-error", "peer closed connection"))
    client.close()


# The upstream is never reached.


def test_a_name_that_does_not_resolve_is_told(routes: dict[str, Route]):
    route = routes["forward"]
    client = route.dial()
    target = route.target()
    client.write(
        b"POST http://no.such.invalid%s HTTP/1.1\r\nHost: no.such.invalid\r\nContent-Length: 0\r\n\r\n"
        % target.encode()
    )
    assert client.read_all()[0].startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    exchange = ended(route.path, target.encode())
    assert exchange.response is None
    reason, detail = ending(exchange)
    assert reason == "upstream-error"
    assert "Errno" in detail
    client.close()


def test_a_certificate_that_is_not_trusted_is_told(tmp_path: Path, home: dict[str, str]):
    path = tmp_path / "a.tape"
    with (
        Listener(trustme.CA()) as listener,
        Process.tokentape("record", "--upstream", listener.url, "-o", path, env=home) as recorder,
        dial(port_of(recorder)) as client,
    ):
        client.write(head(f"POST {CHAT} HTTP/1.1", ("Host", "x"), ("Content-Length", "0")))
        assert client.read_all()[0].startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
        exchange = ended(path, CHAT.encode())
    assert exchange.response is None
    reason, detail = ending(exchange)
    assert reason == "upstream-error"
    assert "ertificate verify failed" in detail


# Nothing comes.


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory, home: dict[str, str]) -> Iterator[Route]:
    """A recorder whose mitmproxy gives up after a second of silence."""
    folder = tmp_path_factory.mktemp("impatient")
    script = folder / "impatient.py"
    script.write_text("from mitmproxy.proxy import server\nserver.TCP_TIMEOUT = 1\n")
    setting = f"scripts={script}" if MITMPROXY < 12 else "tcp_timeout=1"
    path = folder / "impatient.tape"
    with Listener() as listener:
        options = ("--proxy", "-o", path, "--set", setting)
        with Process.tokentape("record", *options, env=home) as recorder:
            yield Route(recorder, path, listener, lambda: dial(port_of(recorder)), absolute=True)


@pytest.mark.parametrize("came", ["nothing", "a piece"])
def test_an_upstream_that_falls_silent_is_told_from_a_client_that_leaves(impatient: Route, came: str):
    client, upstream, target = ask(impatient)
    if came == "a piece":
        pass_on(upstream, client, CHUNKED, chunk(FIRST))
    assert client.read_all() == (b"", "closed")
    exchange = ended(impatient.path, target)
    assert ending(exchange) == ("upstream-error", "timed out: the upstream sent nothing for 1 s")
    assert exchange.body == (FIRST if came == "a piece" else b"")
    client.close()
    upstream.close()


def test_a_client_that_takes_nothing_is_told_from_an_upstream_that_falls_silent(impatient: Route):
    client, upstream, target = ask(impatient)
    upstream.write(CHUNKED)
    with contextlib.suppress(ConnectionError):  # until the proxy, whose client does not read, is full
        while True:
            upstream.write(chunk(bytes(1 << 20)))
    exchange = ended(impatient.path, target)
    assert ending(exchange) == ("client-closed", "timed out: the client took nothing for 1 s")
    client.close()
    upstream.close()


def test_an_upstream_that_does_not_even_accept_has_timed_out(impatient: Route):
    target = impatient.target()
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((HOST, 0))
        full.listen(0)
        for _ in range(3):  # more than it has room for: what comes after waits for an answer in vain
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        client = stack.enter_context(impatient.dial())
        url = f"http://{HOST}:{full.getsockname()[1]}{target}"
        client.write(head(f"POST {url} HTTP/1.1", ("Host", "x"), ("Content-Length", "0")))
        client.read_all()
    exchange = ended(impatient.path, target.encode())
    assert exchange.response is None
    assert ending(exchange) == ("upstream-error", "timed out: the upstream sent nothing for 1 s")


def test_a_stream_may_be_silent_for_a_day(tmp_path: Path, home: dict[str, str]):
    script = tmp_path / "patience.py"
    script.write_text(
        "import sys\n"
        "from mitmproxy import ctx\n"
        "def client_connected(client):\n"
        "    handler = ctx.master.addons.get('proxyserver').connections[client.id]\n"
        "    print('gives up after', handler.timeout_watchdog.timeout, file=sys.stderr, flush=True)\n"
    )
    options = ("--proxy", "-o", tmp_path / "a.tape", "--set", f"scripts={script}")
    with Process.tokentape("record", *options, env=home) as recorder, dial(port_of(recorder)) as client:
        client.half_close()
        client.read_all()
    assert "gives up after 86400" in recorder.stderr


# The recorder goes.


@pytest.mark.parametrize("came", ["nothing", "a piece"])
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_recorder_that_is_stopped_ends_its_exchanges(
    tmp_path: Path, home: dict[str, str], how: signal.Signals, came: str
):
    path = tmp_path / "a.tape"
    with Listener() as listener:
        recorder = Process.tokentape("record", "--upstream", listener.url, "-o", path, env=home)
        with recorder:
            client, upstream, target = ask(Route(recorder, path, listener, lambda: dial(port_of(recorder))))
            if came == "a piece":
                pass_on(upstream, client, CHUNKED, chunk(FIRST))
            recorder.stop(how)
            client.close()
            upstream.close()
    assert recorder.returncode == 0
    exchange = ended(path, target)
    assert ending(exchange) == ("recorder-stopped", "")
    assert exchange.body == (FIRST if came == "a piece" else b"")
