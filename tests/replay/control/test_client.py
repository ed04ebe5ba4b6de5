"""The client, against servers that listen."""

import http.server
import socket
import threading
from contextlib import contextmanager

import pytest

from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.replay import Control, ControlError, ReplayError, parse_fault, serve

HOUR_MS = 3_600_000


def send(replay, *bodies):
    with connected(replay.url) as client:
        for body in bodies:
            client.sendall(post(body))
            read_until(client, b"}}" if body == b"unknown" else b"0\r\n\r\n")


def test_it_reads_what_the_server_knows(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0, body=b"1"), exchange(1, body=b"2"))
    with serve(path) as replay:
        control = Control(replay.base_url)
        assert control.url == replay.url
        send(replay, b"1", b"1", b"unknown")
        assert control.stats() == replay.stats
        assert control.stats().hits == 2
        assert control.requests() == replay.requests
        assert [(each.outcome, each.status) for each in control.requests()] == [
            ("served", 200),
            ("served", 200),
            ("missed", 404),
        ]
        assert control.health().exchanges == 2
        assert 'tokentape_requests_total{outcome="served"} 2' in control.metrics()


def test_it_reads_all_pages_of_long_lists(tmp_path):
    exchanges = [exchange(number, body=b"%d" % number, start_ms=number) for number in range(250)]
    with serve(tape(tmp_path / "a.tape", *exchanges), speed="instant") as replay:
        send(replay, *(b"%d" % number for number in range(230)))
        with connected(replay.url) as client:
            for number in range(300):
                client.sendall(post(b"unknown", path=f"/{number}"))
                read_until(client, b"}}")
        control = Control(replay.url)
        assert control.stats() == replay.stats
        assert len(control.stats().served) == 250
        assert len(control.stats().missed) == 300
        assert control.requests() == replay.requests
        assert len(control.requests()) == 530


def test_a_pause_holds_what_is_on_its_way_and_a_resume_lets_it_go_on(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(1, b"data: 1\n\n"), (HOUR_MS, b"x")], end_ms=HOUR_MS))
    with serve(path) as replay, connected(replay.url) as client:
        control = Control(replay.url)
        client.sendall(post())
        read_until(client, b"data: 1\n\n\r\n")
        control.pause()
        assert replay.paused
        control.set_speed(1e9)
        assert control.health().paused
        assert control.health().running == 1
        assert control.health().speed == 1e9
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.recv(1)
        client.settimeout(10)
        control.resume()
        assert read_until(client, b"0\r\n\r\n") == b"1\r\nx\r\n0\r\n\r\n"


def test_a_reset_begins_again_and_leaves_speed_and_faults(tmp_path):
    first, second = exchange(0, pieces=[(2, b"first")]), exchange(1, pieces=[(2, b"second")], start_ms=10)
    with serve(tape(tmp_path / "a.tape", first, second)) as replay, connected(replay.url) as client:
        control = Control(replay.url)
        control.set_speed(8)
        control.set_faults(["slow-start=1us"])
        before = control.stats()
        client.sendall(post())
        assert b"first" in read_until(client, b"0\r\n\r\n")
        send(replay, b"unknown")
        control.reset()
        assert control.stats() == before == replay.stats
        assert control.requests() == replay.explanations == ()
        assert control.health().speed == 8
        assert control.faults() == ("slow-start=1us",)
        client.sendall(post())
        assert b"first" in read_until(client, b"0\r\n\r\n")
        assert [each.number for each in control.requests()] == [1]


def test_faults_are_given_as_they_are_spelled_or_as_values(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay:
        control = Control(replay.url)
        assert control.faults() == ()
        control.set_faults(["truncate@event=5", parse_fault("drop-done")])
        assert control.faults() == ("truncate@event=5", "drop-done")
        assert tuple(map(str, replay.faults)) == control.faults()
        control.set_faults([])
        assert control.faults() == ()


def test_what_the_server_refuses_is_said_in_its_words(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange()), speed="instant") as replay:
        control = Control(replay.url)
        with pytest.raises(ControlError, match=r"^http://127\.0\.0\.1:\d+: /-/speed: .*instant$") as raised:
            control.set_speed(2)
        assert raised.value.status == 409
        assert isinstance(raised.value, ReplayError)
        with pytest.raises(ControlError, match="explode"):
            control.set_faults(["explode"])
        with pytest.raises(ControlError, match="expected a body such as"):
            control.set_speed(float("nan"))


def test_a_server_that_is_not_there_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    with pytest.raises(ControlError, match=f"^{url}: expected a replay to steer, found none"):
        Control(url).health()


def test_a_server_that_does_not_answer_is_waited_for_no_longer_than_was_said():
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(ControlError, match="timed out"),
    ):
        Control(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=0.1).health()


def test_a_replay_without_control_is_said(tmp_path):
    with (
        serve(tape(tmp_path / "a.tape", exchange()), control=False) as replay,
        pytest.raises(ControlError, match=r"found status 404;.*--no-control"),
    ):
        Control(replay.url).pause()


@contextmanager
def other_server(status, body):
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Other) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b"<html>"),
        (200, b"\xff"),
        (200, b""),
        (200, b"[]"),
        (200, b"{}"),
        (200, b"1"),
        (200, b'{"requests": 1, "served": 1, "missed": 1}'),
        (200, b'{"status": "ok", "exchanges": "many"}'),
        (404, b"<html>"),
        (404, b"[]"),
        (404, b'{"error": "x"}'),
        (500, b'{"error": {"message": "x", "code": "y"}}'),
        (301, b""),
    ],
)
def test_another_server_is_one_clear_error(status, body):
    with other_server(status, body) as url:
        for ask in (Control(url).health, Control(url).stats, Control(url).requests):
            with pytest.raises(ControlError, match="expected the answer of a replay's control"):
                ask()


@pytest.mark.parametrize("url", ["", "127.0.0.1:8090", "ftp://x", "http://", "localhost"])
def test_a_url_that_is_none_is_said(url):
    with pytest.raises(ValueError, match="expected the URL of a replay such as http://127"):
        Control(url)


def test_credentials_in_the_url_are_neither_sent_nor_shown():
    assert Control("http://user:word@127.0.0.1:8090/v1").url == "http://127.0.0.1:8090"
