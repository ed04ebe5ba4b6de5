"""The server as a forward proxy, on real sockets."""

import asyncio
import json
import logging
import socket
import ssl
from contextlib import contextmanager, suppress

import pytest
from msgspec.structs import replace

from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tests.replay.serving.test_server import BODY, HEAD
from tokentape.cassette import placeholder
from tokentape.replay import Matching, Server, load, serve

ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"


def of(host, records, *, port=443, scheme="https"):
    """The records of an exchange, for another host."""
    request, *others = records
    return [replace(request, host=host, port=port, scheme=scheme), *others]


def answering(number, text, **kwargs):
    return exchange(number, pieces=[(2, text), (3, b"data: [DONE]\n\n")], **kwargs)


@pytest.fixture
def replaying(authority, tmp_path):
    @contextmanager
    def start(*exchanges, **options):
        path = tape(tmp_path / f"{len(list(tmp_path.iterdir()))}.tape", *(exchanges or [exchange()]))
        with serve(path, proxy=authority, **options) as replay:
            yield replay

    return start


@pytest.fixture
def tunnel(authority):
    """TLS through CONNECT to a host; raises as a client's would."""
    trusting = ssl.create_default_context(cafile=str(authority.cert_file))

    @contextmanager
    def dig(replay, to="api.example:443", *, name=None, head=None):
        with connected(replay.url) as client:
            client.sendall(head or f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode())
            assert read_until(client, b"\r\n\r\n") == ESTABLISHED
            host = name or to.rpartition(":")[0].strip("[]")
            with trusting.wrap_socket(client, server_hostname=host, suppress_ragged_eofs=False) as inside:
                yield inside

    return dig


def ask(client, data):
    client.sendall(data)
    return read_until(client, b"0\r\n\r\n")


def refused(replay, data):
    """What a client gets that is refused, its connection closed: status line and error."""
    with connected(replay.url) as client:
        client.sendall(data)
        head, _, body = read_all(client).partition(b"\r\n\r\n")
    return head.partition(b"\r\n")[0], json.loads(body)["error"]


def connect(to):
    return f"CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n".encode()


@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_a_recorded_host_answers_in_a_tunnel_that_stays(replaying, tunnel, speed):
    with replaying(speed=speed) as replay, tunnel(replay) as client:
        for _ in range(3):
            assert ask(client, post()) == HEAD + BODY
    assert replay.stats.hits == 3
    assert replay.stats.misses == 0


@pytest.mark.parametrize(
    ("host", "to", "name"),
    [
        ("api.example", "API.Example:443", "api.example"),
        ("api.example", "api.example.:443", "api.example"),
        ("API.example", "api.example:443", None),
        ("bücher.example", "xn--bcher-kva.example:443", None),
        ("::1", "[0:0:0:0:0:0:0:1]:443", "::1"),
        ("192.0.2.1", "192.0.2.1:443", None),
        ("192.0.2.1", "192.0.2.1:443", "api.example"),
    ],
)
def test_a_host_is_the_same_in_any_spelling(replaying, tunnel, host, to, name):
    with replaying(of(host, exchange())) as replay, tunnel(replay, to, name=name) as client:
        assert ask(client, post()) == HEAD + BODY


def test_two_hosts_with_the_same_paths_do_not_mix(replaying, tunnel):
    one = of("one.example", answering(0, b"data: one\n\n"))
    two = of("two.example", answering(1, b"data: two\n\n"))
    other_port = of("one.example", answering(2, b"data: 8443\n\n"), port=8443)
    with replaying(one, two, other_port) as replay:
        for to, text in (
            ("two.example:443", b"two"),
            ("one.example:8443", b"8443"),
            ("one.example:443", b"one"),
        ):
            with tunnel(replay, to) as client:
                for _ in range(2):
                    assert b"data: " + text in ask(client, post())


def test_what_is_asked_of_the_wrong_host_is_a_miss_that_names_the_right_one(replaying, tunnel):
    other = of("other.example", exchange(1, body=b"x"))
    with replaying(exchange(0), other) as replay, tunnel(replay, "other.example:443") as client:
        client.sendall(post())
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404 ")
    assert "host: recorded api.example:443, the request has other.example:443" in replay.explanations[0]


def test_a_secret_that_was_redacted_matches_any_for_its_own_host_alone(replaying, tunnel):
    hidden = b'{"password":"%b"}' % placeholder("password")
    other = of("other.example", exchange(1))
    with replaying(exchange(0, body=hidden), other) as replay:
        with tunnel(replay) as client:
            assert ask(client, post(b'{"password":"another"}')) == HEAD + BODY
        with tunnel(replay, "other.example:443") as client:
            client.sendall(post(b'{"password":"another"}'))
            assert read_until(client, b"}}").startswith(b"HTTP/1.1 404 ")


def test_a_tunnel_is_for_the_host_that_it_was_made_for_whatever_is_asked_inside(replaying, tunnel):
    with replaying() as replay, tunnel(replay) as client:
        for data in (
            post().replace(b"Host: localhost", b"Host: other.example"),
            post(path="https://other.example/v1/chat/completions"),
        ):
            assert ask(client, data) == HEAD + BODY


def test_plain_http_in_a_tunnel_is_answered_too(replaying):
    recorded = of("api.example", exchange(), port=80, scheme="http")
    with replaying(recorded) as replay, connected(replay.url) as client:
        client.sendall(connect("api.example:80") + post())
        assert read_until(client, b"\r\n\r\n" + BODY) == ESTABLISHED + HEAD + BODY


@pytest.mark.parametrize(
    "target", ["http://api.example", "HTTP://API.example:80", "http://me:pw@api.example."]
)
def test_http_needs_no_tunnel(replaying, target):
    recorded = of("api.example", exchange(), port=80, scheme="http")
    with replaying(recorded) as replay, connected(replay.url) as client:
        for _ in range(2):
            assert ask(client, post(path=f"{target}/v1/chat/completions")) == HEAD + BODY


@pytest.mark.parametrize(
    "to", ["other.example:443", "api.example:80", "api.example:8443", "[::1]:443", "api.example", "x", ":443"]
)
def test_another_host_or_port_is_refused_and_counted_as_a_miss(replaying, to, caplog):
    with replaying() as replay:
        for _ in range(2):
            status, error = refused(replay, connect(to))
            if status.startswith(b"HTTP/1.1 400"):  # the parser knows that it is none
                return
            assert status == b"HTTP/1.1 403 Forbidden"
            assert error["code"] == "host_not_recorded"
            assert error["message"].endswith(
                "this host is not in the recording; this proxy answers for api.example:443"
            )
    assert [(missed.method, missed.status, missed.times) for missed in replay.stats.missed] == [
        ("CONNECT", 403, 2)
    ]
    assert replay.explanations == (error["message"],) * 2
    assert len([record for record in caplog.records if error["message"] in record.message]) == 1


@pytest.mark.parametrize("target", ["http://other.example/a?key=v", "http://api.example/a", "https://x/a"])
def test_http_to_another_host_is_refused(replaying, target):
    with replaying() as replay:
        status, error = refused(replay, post(path=target, headers="Connection: close\r\n"))
    assert status == b"HTTP/1.1 403 Forbidden"
    assert "this proxy answers for api.example:443" in error["message"]
    assert replay.stats.missed[0].path.startswith(target.partition("?")[0].rpartition("/")[0])


def test_a_request_to_the_proxy_itself_says_how_it_is_used(replaying):
    with replaying() as replay, connected(replay.url) as client:
        for _ in range(2):
            client.sendall(post())
            answer = read_until(client, b"}}")
            assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
            assert b"expected HTTPS_PROXY and HTTP_PROXY to be this URL, not a base URL" in answer
        client.sendall(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 403 Forbidden\r\n")


def test_a_recorded_host_that_is_none_keeps_nobody_from_the_others(replaying, tunnel):
    odd = of("\u00fc" * 70, exchange(0))
    nameless = of("", exchange(1))
    with replaying(odd, nameless, exchange(2)) as replay, tunnel(replay) as client:
        assert ask(client, post()) == HEAD + BODY


def test_only_a_few_of_many_hosts_are_named(replaying):
    with replaying(*(of(f"host-{n:02}.example", exchange(n)) for n in range(12))) as replay:
        _, error = refused(replay, connect("other.example:443"))
    assert error["message"].endswith("host-08.example:443, host-09.example:443 and 2 more")


@pytest.mark.parametrize("authorization", ["Basic bWU6cHc=", "Bearer none-of-your-business"])
def test_credentials_for_the_proxy_are_ignored_and_never_shown(replaying, tunnel, authorization, caplog):
    field = f"Proxy-Authorization: {authorization}\r\n"
    with replaying() as replay:
        head = f"CONNECT api.example:443 HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode()
        with tunnel(replay, head=head) as client:
            assert ask(client, post()) == HEAD + BODY
        secret = "me:" + "pw" * 8
        for data in (
            f"CONNECT {secret}@other.example:443 HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode(),
            f"CONNECT {secret}@other.example:99999 HTTP/1.1\r\nHost: x\r\n{field}\r\n".encode(),
            post(path=f"http://{secret}@other.example/a", headers=field + "Connection: close\r\n"),
        ):
            _, error = refused(replay, data)
            shown = repr([error, replay.stats, replay.explanations, caplog.messages])
            assert secret not in shown
            assert "pwpw" not in shown
            assert authorization.partition(" ")[2] not in shown


def test_a_connect_split_at_every_byte_is_the_same(replaying, tunnel):
    data = connect("api.example:443")
    with replaying(speed="instant") as replay:
        for cut in range(1, len(data)):
            with connected(replay.url) as client:
                client.sendall(data[:cut])
                client.sendall(data[cut:])
                assert read_until(client, b"\r\n\r\n") == ESTABLISHED


@pytest.mark.parametrize("step", [1, 50, 10_000])
def test_what_comes_with_the_connect_belongs_to_tls(replaying, authority, step):
    """A client may send its first bytes of TLS without waiting for the answer."""
    trusting = ssl.create_default_context(cafile=str(authority.cert_file))
    into, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    inside = trusting.wrap_bio(into, out, server_hostname="api.example")
    with replaying() as replay, connected(replay.url) as client:
        with pytest.raises(ssl.SSLWantReadError):
            inside.do_handshake()
        data = connect("api.example:443") + out.read()
        for start in range(0, len(data), step):
            client.sendall(data[start : start + step])
        came = b""
        while not came.startswith(ESTABLISHED):
            came += client.recv(len(ESTABLISHED) - len(came))
        while True:
            try:
                inside.do_handshake()
                break
            except ssl.SSLWantReadError:
                into.write(client.recv(65536))
        inside.write(post())
        client.sendall(out.read())
        found = b""
        while not found.endswith(b"0\r\n\r\n"):
            try:
                found += inside.read(65536)
            except ssl.SSLWantReadError:
                into.write(client.recv(65536))
    assert found == HEAD + BODY


def test_a_connect_of_http_1_0_needs_no_host_field(replaying, tunnel):
    with replaying() as replay, tunnel(replay, head=b"CONNECT api.example:443 HTTP/1.0\r\n\r\n") as client:
        assert ask(client, post()) == HEAD + BODY


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"CONNECT api.example:443 HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT api.example:443 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"400"),
        (b"CONNECT  HTTP/1.1\r\nHost: a\r\n\r\n", b"505"),
        (b"CONNECT api.example:443 HTTP/3.0\r\nHost: a\r\n\r\n", b"400"),
        (b"CONNECT api.example:443 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", b"431"),
        (b"CONNECT api.example:443 HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 70_000, b"431"),
        (b"CONNECTED / HTTP/1.1\r\nHost: a\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_connect_is_refused(replaying, data, status):
    with replaying() as replay:
        found, _ = refused(replay, data)
    assert found.split()[1] == status


def test_a_second_connect_in_a_connection_is_refused(replaying, tunnel):
    with replaying() as replay, tunnel(replay) as client:
        client.sendall(connect("api.example:443"))
        assert read_all(client).startswith(b"HTTP/1.1 501 ")


def test_a_tunnel_without_bytes_and_one_with_half_a_handshake_harm_nobody(replaying, tunnel, caplog):
    with replaying() as replay:
        for sent in (b"", b"CON", connect("api.example:443"), connect("api.example:443") + b"\x16\x03\x01"):
            with connected(replay.url) as client:
                client.sendall(sent)
        with tunnel(replay) as client:
            assert ask(client, post()) == HEAD + BODY
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_stop_ends_tunnels_at_every_stage(replaying, tunnel, authority):
    trusting = ssl.create_default_context(cafile=str(authority.cert_file))
    slow = exchange(1, body=b"slow", pieces=[(2, b"data: 1\n\n"), (60_000, b"x")], end_ms=60_000)
    clients = []
    with replaying(exchange(0), slow) as replay:
        for stage in range(6):
            client = socket.create_connection(
                (replay.url.split("/")[2].split(":")[0], int(replay.url.rpartition(":")[2])), timeout=10
            )
            clients.append(client)
            if stage == 1:
                client.sendall(b"CONNECT api")
            if stage >= 2:
                client.sendall(connect("api.example:443"))
                assert read_until(client, b"\r\n\r\n") == ESTABLISHED
            if stage == 3:
                client.sendall(b"\x16\x03\x01")
            if stage >= 4:
                clients[-1] = trusting.wrap_socket(client, server_hostname="api.example")
            if stage == 5:
                clients[-1].sendall(post(b"slow"))
                assert read_until(clients[-1], b"data: 1\n\n\r\n")
    for client in clients:
        with client:
            end = b""
            with suppress(ConnectionResetError):
                end = client.recv(100)
            assert end == b""
    assert replay.stats.cut_off == 1


def test_the_host_is_matched_beside_what_is_asked_for_but_not_beside_nothing(replaying, tunnel):
    two = of("two.example", answering(1, b"data: two\n\n"))
    for match, expected in (("path", b"data: two"), ("none", b"data: 1")):
        matching = Matching(match=match)
        with (
            replaying(exchange(0), two, matching=matching) as replay,
            tunnel(replay, "two.example:443") as client,
        ):
            assert expected in ask(client, post(b"another"))


def test_a_host_that_comes_with_a_reload_is_answered_for_from_then_on(authority, tmp_path):
    first = load(tape(tmp_path / "a.tape", exchange()))
    second = load(tape(tmp_path / "b.tape", of("other.example", exchange())))

    async def asked(server, to):
        reader, writer = await asyncio.open_connection(*server.address)
        writer.write(connect(to))
        found = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
        writer.close()
        return found.split()[1]

    async def main():
        async with Server(first, proxy=authority) as server:
            await server.start()
            before = [await asked(server, to) for to in ("api.example:443", "other.example:443")]
            server.replace(second)
            after = [await asked(server, to) for to in ("api.example:443", "other.example:443")]
        assert (before, after) == ([b"200", b"403"], [b"403", b"200"])

    asyncio.run(main())


def test_a_server_is_not_a_proxy_and_has_tls_at_once(authority, tmp_path):
    with (
        pytest.raises(ValueError, match="expected either tls or proxy"),
        serve(tape(tmp_path / "a.tape", exchange()), tls=authority.context_for("localhost"), proxy=authority),
    ):
        pass
