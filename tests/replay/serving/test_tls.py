"""The server over TLS, on real sockets."""

import json
import logging
import socket
import ssl
import struct
import threading
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_exactly, read_until, tape
from tests.replay.serving.test_server import BODY, CLOSING_HEAD, HEAD
from tokentape.replay import serve
from tokentape.replay.serving._connection import Connection
from tokentape.replay.serving._secured import Secured


@pytest.fixture
def trusting(authority):
    return ssl.create_default_context(cafile=str(authority.cert_file))


@pytest.fixture
def replaying(authority, tmp_path):
    @contextmanager
    def start(*exchanges, **options):
        path = tape(tmp_path / f"{len(list(tmp_path.iterdir()))}.tape", *exchanges)
        with serve(path, tls=authority.context_for("127.0.0.1"), **options) as replay:
            yield replay

    return start


@contextmanager
def secured(url, context):
    with connected(url) as client, _inside(client, context) as inside:
        yield inside


def _inside(client, context):
    """TLS in which an end without a farewell raises."""
    return context.wrap_socket(client, server_hostname="127.0.0.1", suppress_ragged_eofs=False)


@pytest.mark.parametrize("speed", [1.0, 7.5, "instant"])
def test_the_recorded_bytes_come_back_and_the_connection_stays(replaying, trusting, speed):
    with replaying(exchange(), speed=speed) as replay:
        assert replay.url.startswith("https://127.0.0.1:")
        assert replay.base_url == f"{replay.url}/v1"
        with secured(replay.url, trusting) as client:
            for _ in range(3):
                client.sendall(post())
                assert read_until(client, b"0\r\n\r\n") == HEAD + BODY
            client.sendall(post() + post())
            assert read_exactly(client, 2 * len(HEAD + BODY)) == 2 * (HEAD + BODY)


def test_every_piece_is_a_write_of_its_own_to_the_socket(replaying, trusting, monkeypatch):
    done = []
    write, flush = Connection._write, Secured._flush
    monkeypatch.setattr(Connection, "_write", lambda self, data: (done.append(data), write(self, data)))
    monkeypatch.setattr(Secured, "_flush", lambda self: (done.append("flush"), flush(self)))
    with replaying(exchange()) as replay, secured(replay.url, trusting) as client:
        client.sendall(post())
        read_until(client, b"0\r\n\r\n")
    written = done[done.index(HEAD) :][:8]
    assert written[::2] == [HEAD, b"9\r\ndata: 1\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n"]
    assert written[1::2] == ["flush"] * 4


def test_an_answer_that_ends_the_connection_ends_tls_properly(replaying, trusting):
    with replaying(exchange()) as replay, secured(replay.url, trusting) as client:
        client.sendall(post(headers="Connection: close\r\n"))
        assert read_all(client) == CLOSING_HEAD + BODY  # an end without a farewell would raise


def test_a_cut_recording_is_cut_again(replaying, trusting):
    cut = exchange(pieces=[(2, b"data: 1\n\n")], end_reason="upstream-error", end_ms=3)
    with replaying(cut) as replay, secured(replay.url, trusting) as client:
        client.sendall(post())
        assert read_all(client) == HEAD + b"9\r\ndata: 1\n\n\r\n"


def test_plain_http_is_told_to_use_tls(replaying):
    with replaying(exchange()) as replay, connected(replay.url) as client:
        for data in (post(), b"G", b"ET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"):
            client.sendall(data)
        answer = read_all(client)
        assert answer.count(b"HTTP/1.1 400 Bad Request\r\n") == 2
        error = json.loads(answer.rpartition(b"\r\n\r\n")[2])["error"]
    assert error["code"] == "expected_tls"
    assert "https://" in error["message"]
    assert replay.stats.hits == replay.stats.misses == 0


def test_tls_to_a_plain_port_is_said_once(tmp_path, trusting, caplog):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay:
        for _ in range(2):
            with (
                pytest.raises(ssl.SSLError, match=r"(?i)wrong.version"),
                secured(replay.url, trusting),
            ):
                pass
        with connected(replay.url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
    said = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == ["expected plain HTTP on this port, found TLS: its URL begins with http://"]


def test_a_client_that_does_not_trust_is_said_once(replaying, caplog):
    distrusting = ssl.create_default_context()
    with replaying(exchange()) as replay:
        for _ in range(2):
            with pytest.raises(ssl.SSLCertVerificationError), secured(replay.url, distrusting):
                pass
    (said,) = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert said.startswith("no TLS with a client of this server: it does not trust the certificate")


def test_clients_that_vanish_in_the_handshake_harm_nobody(replaying, trusting, caplog):
    hello, out = ssl.MemoryBIO(), ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        trusting.wrap_bio(out, hello, server_hostname="127.0.0.1").do_handshake()
    data = hello.read()
    with replaying(exchange()) as replay:
        for size in (0, 1, 5, len(data) - 1, len(data)):
            for resets in (False, True):
                with connected(replay.url) as client:
                    client.sendall(data[:size])
                    if resets:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with secured(replay.url, trusting) as client:
            client.sendall(post())
            assert read_until(client, b"0\r\n\r\n") == HEAD + BODY
    assert not caplog.records


@pytest.mark.parametrize("sent", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_a_stop_ends_handshakes_that_are_under_way(replaying, sent):
    with replaying(exchange()) as replay:
        client = socket.create_connection(
            (urlsplit(replay.url).hostname, urlsplit(replay.url).port), timeout=10
        )
        client.sendall(sent)
        waits = threading.Event()
        waits.wait(0.05)
    with client:
        assert client.recv(100) == b""


def test_a_stop_cuts_off_what_is_on_its_way(replaying, trusting):
    with replaying(exchange(pieces=[(2, b"data: 1\n\n"), (60_000, b"x")], end_ms=60_000)) as replay:
        client = socket.create_connection(
            (urlsplit(replay.url).hostname, urlsplit(replay.url).port), timeout=10
        )
        inside = _inside(client, trusting)
        inside.sendall(post())
        assert read_until(inside, b"data: 1\n\n\r\n")
    with inside, pytest.raises((ssl.SSLEOFError, ConnectionResetError)):
        inside.recv(100)
    assert replay.stats.cut_off == 1


def test_a_client_that_does_not_read_holds_up_nobody_else(replaying, trusting):
    large = exchange(0, body=b"large", pieces=[(2, b"x" * 8_000_000), (3, b"y" * 8_000_000)])
    with replaying(large, exchange(1)) as replay, secured(replay.url, trusting) as slow:
        slow.sendall(post(b"large"))
        slow.recv(1)
        with secured(replay.url, trusting) as client:
            client.sendall(post())
            assert read_until(client, b"0\r\n\r\n") == HEAD + BODY
        rest = read_until(slow, b"\r\n0\r\n\r\n")
    assert rest.count(b"x") + rest.count(b"y") >= 16_000_000


def test_with_the_host_matched_the_host_field_says_it_and_the_scheme_its_port(replaying, trusting):
    from tokentape.replay import Matching

    with (
        replaying(exchange(), matching=Matching().with_host()) as replay,
        secured(replay.url, trusting) as client,
    ):
        client.sendall(post().replace(b"Host: localhost", b"Host: API.example"))
        assert read_until(client, b"0\r\n\r\n") == HEAD + BODY
        client.sendall(post().replace(b"Host: localhost", b"Host: api.example:8443"))
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404 ")
