"""Control of a server that listens, over real sockets, byte for byte."""

import asyncio

import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tokentape.replay import Control, Server, load, serve

HOUR_MS = 3_600_000
SLOW = exchange(pieces=[(1, b"data: 1\n\n"), (HOUR_MS, b"data: [DONE]\n\n")], end_ms=HOUR_MS)


def get(path, *, host="localhost", headers="", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n".encode()


def test_a_pause_does_not_hold_back_what_is_asked_here(tmp_path):
    with serve(tape(tmp_path / "a.tape", SLOW)) as replay, connected(replay.url) as client:
        replay.pause()
        for path in ("/-/health", "/-/stats"):
            client.sendall(get(path))
            assert b'"paused": true' in read_until(client, b"}\n")
        client.sendall(get("/-/resume", method="POST"))
        assert b'"paused": false' in read_until(client, b"}\n")


def test_on_one_connection_it_waits_for_the_answer_before_it(tmp_path):
    """HTTP/1.1 answers in order; so a client that steers has a connection of its own."""
    with serve(tape(tmp_path / "a.tape", SLOW)) as replay, connected(replay.url) as client:
        client.sendall(post() + get("/-/health"))
        read_until(client, b"data: 1\n\n\r\n")
        Control(replay.url).set_speed(1e9)
        rest = read_until(client, b"}\n")
        assert rest.index(b"[DONE]") < rest.index(b'"status": "ok"')


@pytest.mark.parametrize(
    ("host", "headers", "status"),
    [
        ("localhost", "", b"200"),
        ("evil.example", "", b"403"),
        ("localhost", "Origin: https://evil.example\r\n", b"403"),
        ("localhost", "Origin: http://localhost\r\n", b"200"),
    ],
)
def test_a_page_of_another_site_cannot_steer(tmp_path, host, headers, status):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay, connected(replay.url) as client:
        client.sendall(get("/-/pause", host=host, headers=headers + "Connection: close\r\n", method="POST"))
        assert read_all(client).startswith(b"HTTP/1.1 " + status)
        assert replay.paused is (status == b"200")


def test_what_is_no_control_is_served_under_any_host(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay, connected(replay.url) as client:
        client.sendall(
            post().replace(b"Host: localhost", b"Host: api.example\r\nOrigin: https://app.example")
        )
        assert read_until(client, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_where_everybody_was_let_in_the_name_does_not_matter(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange()), host="0.0.0.0") as replay:
        url = replay.url.replace("localhost", "127.0.0.1")
        with connected(url) as client:
            client.sendall(get("/-/health", host="replay.test:80"))
            assert read_until(client, b"}\n").startswith(b"HTTP/1.1 200 OK")


def recorded_under_control():
    return exchange(path=b"/-/health", method="GET", body=b"")


def test_recorded_paths_under_it_are_not_served_and_that_is_said(tmp_path, caplog):
    path = tape(tmp_path / "a.tape", recorded_under_control())
    with serve(path) as replay, connected(replay.url) as client:
        client.sendall(get("/-/health"))
        assert b'"status": "ok"' in read_until(client, b"}\n")
    assert replay.stats.hits == 0
    (said,) = caplog.messages
    assert said.startswith("1 recorded exchange under /-/ is not served")


def test_without_control_recorded_paths_under_it_are_served(tmp_path, caplog):
    path = tape(tmp_path / "a.tape", recorded_under_control())
    with serve(path, control=False) as replay, connected(replay.url) as client:
        client.sendall(get("/-/health"))
        assert b"data: 1" in read_until(client, b"0\r\n\r\n")
        client.sendall(get("/-/stats"))
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404")
    assert (replay.stats.hits, replay.stats.misses, caplog.messages[1:]) == (1, 1, [])


def test_a_reload_says_so_too(tmp_path, caplog):
    server = Server(load(tape(tmp_path / "a.tape", exchange())))
    assert caplog.messages == []
    server.replace(load(tape(tmp_path / "b.tape", recorded_under_control(), exchange(1, start_ms=5))))
    assert [line.partition(" under ")[0] for line in caplog.messages] == ["1 recorded exchange"]


def test_a_server_says_where_it_is_steered(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())

    async def urls(**options):
        async with Server(load(path), **options) as server:
            await server.start()
            return server.control_url, server.url

    control, url = asyncio.run(urls())
    assert control == f"{url}/-/"
    assert asyncio.run(urls(control=False))[0] is None


def test_a_reset_while_an_answer_is_on_its_way_lets_it_go_on(tmp_path):
    with serve(tape(tmp_path / "a.tape", SLOW)) as replay, connected(replay.url) as client:
        client.sendall(post())
        read_until(client, b"data: 1\n\n\r\n")
        replay.reset()
        assert (replay.stats.hits, replay.stats.lateness.pieces, replay.requests) == (0, 0, ())
        replay.set_speed(1e9)
        read_until(client, b"0\r\n\r\n")
    assert (replay.stats.hits, replay.stats.lateness.pieces) == (0, 2)


def test_a_reset_forgets_the_speed_that_was_achieved(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay, connected(replay.url) as client:
        control = Control(replay.url)
        client.sendall(post())
        read_until(client, b"0\r\n\r\n")
        assert control.stats().speed is not None  # asked of its thread, which has counted by then
        control.reset()
        assert control.stats().speed is None
