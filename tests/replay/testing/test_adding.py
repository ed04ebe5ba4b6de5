"""The server in front of a replay and a recorder, with a second replay in the recorder's place."""

import http.client
import json
import socket
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tokentape.replay import serve
from tokentape.replay.testing._adding import adding
from tokentape.replay.testing._recorder_process import CannotRecord

KNOWN, NEW = b'{"model":"known"}', b'{"model":"new"}'


@contextmanager
def front(tmp_path, **of_known):
    started = []
    with (
        serve(tape(tmp_path / "a.tape", exchange(body=KNOWN, **of_known)), speed="instant") as replay,
        serve(tape(tmp_path / "b.tape", exchange(body=NEW)), speed="instant") as recorder,
    ):

        def start():
            started.append(True)
            return recorder.url

        with adding(replay.url, start) as found:
            yield found, replay, recorder, started


def test_what_is_recorded_is_answered_by_the_replay_and_the_rest_by_the_recorder(tmp_path):
    with front(tmp_path) as (adds, replay, recorder, started):
        for body in (KNOWN, KNOWN):
            with connected(adds.url) as client:
                client.sendall(post(body))
                assert read_all(client).startswith(b"HTTP/1.1 200 OK")
        assert not adds.begun
        for body in (NEW, KNOWN, NEW):
            with connected(adds.url) as client:
                client.sendall(post(body))
                assert read_all(client).endswith(b"0\r\n\r\n")
        assert adds.begun
    assert started == [True]
    assert (replay.stats.hits, recorder.stats.hits) == (3, 2)
    assert recorder.stats.misses == 0


@pytest.mark.parametrize("body", [KNOWN, NEW], ids=["known", "new"])
def test_a_request_may_come_byte_by_byte(tmp_path, body):
    with front(tmp_path) as (adds, *_), connected(adds.url) as client:
        for byte in post(body, headers="Connection: keep-alive\r\n"):
            client.sendall(bytes([byte]))
        assert read_all(client).endswith(b"0\r\n\r\n")


def test_a_client_that_waits_before_its_body_is_told_to_go_on(tmp_path):
    request = post(NEW, headers="Expect: 100-continue\r\n")
    head, body = request[: -len(NEW)], request[-len(NEW) :]
    with front(tmp_path) as (adds, *_), connected(adds.url) as client:
        client.sendall(head)
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(body)
        assert read_all(client).startswith(b"HTTP/1.1 200 OK")


def test_a_recorded_404_is_an_answer_like_any_other(tmp_path):
    with (
        front(tmp_path, status=404, reason=b"Not Found", pieces=[(2, b"gone")]) as (adds, *_),
        connected(adds.url) as client,
    ):
        client.sendall(post(KNOWN))
        answer = read_all(client)
        assert answer.startswith(b"HTTP/1.1 404 ")
        assert b"gone" in answer
        assert not adds.begun


def test_a_client_that_keeps_connections_can_ask_again(tmp_path):
    with front(tmp_path) as (adds, *_):
        client = http.client.HTTPConnection(urlsplit(adds.url).netloc, timeout=10)
        for body in (KNOWN, NEW, KNOWN):
            client.request("POST", "/v1/chat/completions", body)
            assert client.getresponse().read().endswith(b"data: [DONE]\n\n")
        client.close()


def test_without_a_recorder_the_client_is_told_and_so_is_the_test(tmp_path):
    def start():
        raise CannotRecord("there is no recorder")

    with (
        serve(tape(tmp_path / "a.tape", exchange(body=KNOWN)), speed="instant") as replay,
        adding(replay.url, start) as adds,
    ):
        for _ in range(2):
            with connected(adds.url) as client:
                client.sendall(post(NEW))
                head, _, body = read_all(client).partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 502 ")
            assert json.loads(body)["error"]["message"] == "there is no recorder"
        assert str(adds.failure) == "there is no recorder"
        assert not adds.begun


def test_clients_that_vanish_and_what_is_no_request_harm_no_other(tmp_path):
    with front(tmp_path) as (adds, *_):
        for nothing in (b"", b"POST /v1", b"\x16\x03\x01\r\n\r\n"):
            with connected(adds.url) as client:
                client.sendall(nothing)
                client.shutdown(socket.SHUT_WR)
                read_all(client)
        with connected(adds.url) as client:
            client.sendall(post(KNOWN))
            assert read_all(client).startswith(b"HTTP/1.1 200 OK")


def test_the_end_of_the_block_does_not_wait_for_clients(tmp_path):
    begin = time.monotonic()
    with front(tmp_path) as (adds, *_):
        client = socket.create_connection(("127.0.0.1", urlsplit(adds.url).port), timeout=10)
    client.close()
    assert time.monotonic() - begin < 30
