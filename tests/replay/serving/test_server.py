"""The server over real sockets, byte for byte."""

import asyncio
import errno
import json
import logging
import socket
import threading
import time

import pytest

from tests.replay.recordings import (
    connected,
    exchange,
    post,
    read_all,
    read_exactly,
    read_until,
    tape,
)
from tests.replay.waiting import wait_until
from tokentape.replay import CannotListen, Server, load, serve
from tokentape.replay._workers import reserved_port
from tokentape.replay.serving._connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"9\r\ndata: 1\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
CLOSING_HEAD = HEAD[:-2] + b"connection: close\r\n\r\n"
LENGTH = ((b"Content-Length", b"2"),)


@pytest.fixture
def recorded(tmp_path):
    """Serves exchanges while the test runs."""
    running = []

    def start(*exchanges, speed=1.0):
        context = serve(tape(tmp_path / f"{len(running)}.tape", *exchanges), speed=speed)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


@pytest.mark.parametrize("speed", [1.0, 7.5, "instant"])
def test_the_recorded_bytes_come_back_in_the_recorded_chunks(recorded, speed):
    with connected(recorded(exchange(), speed=speed).url) as client:
        client.sendall(post())
        assert read_until(client, b"0\r\n\r\n") == HEAD + BODY


def test_every_piece_is_a_write_of_its_own(recorded, monkeypatch):
    writes = []
    write = Connection._write
    monkeypatch.setattr(Connection, "_write", lambda self, data: (writes.append(data), write(self, data)))
    with connected(recorded(exchange()).url) as client:
        client.sendall(post())
        read_until(client, b"0\r\n\r\n")
    assert writes == [HEAD, b"9\r\ndata: 1\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n"]


def test_pieces_never_come_before_their_time(recorded):
    replay = recorded(exchange(head_ms=40, pieces=[(80, b"a")], end_ms=120))
    with connected(replay.url) as client:
        sent = time.monotonic()
        client.sendall(post())
        times = []
        for _ in range(3):
            client.recv(65536)
            times.append(time.monotonic() - sent)
    assert times[0] >= 0.040
    assert times[1] >= 0.080
    assert times[2] >= 0.120


def test_a_request_split_at_every_byte_is_answered(recorded):
    replay = recorded(exchange(), speed="instant")
    data = post()
    for cut in range(1, len(data), 3):
        with connected(replay.url) as client:
            client.sendall(data[:cut])
            client.sendall(data[cut:])
            assert read_until(client, b"0\r\n\r\n") == HEAD + BODY


def test_pieces_are_not_held_back_by_the_system(recorded):
    seen = []

    async def main(repertoire):
        async with Server(repertoire) as server:
            await server.start()
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(post())
            await reader.readuntil(b"0\r\n\r\n")
            for connection in server._connections:
                sock = connection._transport.get_extra_info("socket")
                seen.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()
            await writer.wait_closed()

    asyncio.run(main(load(_path_of(recorded(exchange())))))
    assert seen == [1]


def _path_of(replay):
    return replay.repertoire.recorded[0].source.partition(", exchange")[0]


def test_pipelined_requests_are_answered_in_order(recorded):
    slow = exchange(0, body=b"1", headers=LENGTH, pieces=[(60, b"s1")], head_ms=50, end_ms=60)
    quick = exchange(1, body=b"2", headers=LENGTH, pieces=[(0, b"q2")], head_ms=0, end_ms=0)
    with connected(recorded(slow, quick).url) as client:
        client.sendall(post(b"1") + post(b"2") + post(b"2") + post(b"1"))
        head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        expected = head + b"s1" + head + b"q2" + head + b"q2" + head + b"s1"
        assert read_exactly(client, len(expected)) == expected


def test_a_thousand_pipelined_requests_are_answered(recorded):
    replay = recorded(exchange(headers=LENGTH, pieces=[(0, b"ok")]), speed="instant")
    with connected(replay.url) as client:
        threading.Thread(target=client.sendall, args=(post() * 1_000,)).start()
        one = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        assert read_exactly(client, 1_000 * len(one)) == one * 1_000


def test_the_clock_of_a_pipelined_answer_starts_when_its_turn_comes(recorded):
    replay = recorded(exchange(headers=LENGTH, head_ms=50, pieces=[(50, b"ok")], end_ms=50))
    with connected(replay.url) as client:
        sent = time.monotonic()
        client.sendall(post() * 3)
        read_exactly(client, 3 * len(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
        assert time.monotonic() - sent >= 0.150


def test_the_answer_to_head_has_no_body(recorded):
    replay = recorded(exchange(method="HEAD", body=b"", headers=LENGTH, pieces=()))
    with connected(replay.url) as client:
        for _ in range(2):  # the second shows that nothing was between
            client.sendall(post(b"", method="HEAD"))
            assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"


def test_a_miss_of_head_has_no_body(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(post(b"", method="HEAD") + post())
        data = read_until(client, BODY)
    assert data.startswith(b"HTTP/1.1 404 ")
    assert data.endswith(b"\r\n\r\n" + HEAD + BODY)


def test_who_expects_100_continue_gets_it_and_then_the_answer(recorded):
    with connected(recorded(exchange()).url) as client:
        data = post(headers="Expect: 100-continue\r\n")
        head = data.index(b"\r\n\r\n") + 4
        client.sendall(data[:head])
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(data[head:])
        assert read_until(client, b"0\r\n\r\n") == HEAD + BODY


def test_100_continue_waits_for_the_answer_before_it(recorded):
    with connected(recorded(exchange(head_ms=30, pieces=[(40, b"x")], end_ms=50)).url) as client:
        data = post(headers="Expect: 100-continue\r\n")
        head = data.index(b"\r\n\r\n") + 4
        client.sendall(post() + data[:head])
        first = HEAD + b"1\r\nx\r\n0\r\n\r\n"
        assert read_exactly(client, len(first)) == first
        assert read_until(client, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        client.sendall(data[head:])
        assert read_exactly(client, len(first)) == first


def test_http_10_gets_the_body_up_to_the_end_of_the_connection(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(post(version="1.0", headers="Connection: keep-alive\r\n"))
        assert read_all(client) == (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nconnection: close\r\n\r\n"
            b"data: 1\n\ndata: [DONE]\n\n"
        )


def test_a_client_that_wants_the_connection_closed_gets_that(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(post(headers="Connection: close\r\n"))
        assert read_all(client) == CLOSING_HEAD + BODY


def test_a_client_that_sends_no_more_still_gets_its_answers(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(post() + post())
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == HEAD + BODY + HEAD + BODY


def test_an_exchange_that_was_cut_is_cut_again(recorded):
    with connected(recorded(exchange(end_reason="upstream-error")).url) as client:
        client.sendall(post() + post())
        assert read_all(client) == HEAD + BODY.removesuffix(b"0\r\n\r\n")


def test_an_exchange_without_any_answer_is_dropped(recorded):
    with connected(recorded(exchange(status=None, end_reason="client-closed")).url) as client:
        client.sendall(post())
        assert read_all(client) == b""


def test_the_same_request_gets_its_answers_in_order_and_then_the_first_again(recorded):
    two = [
        exchange(n, start_ms=start, headers=LENGTH, pieces=[(0, b"#%d" % n)])
        for n, start in ((0, 100), (1, 50))
    ]
    replay = recorded(*two, speed="instant")
    got = []
    with connected(replay.url) as client:
        for _ in range(3):
            client.sendall(post(b'{ "stream": true, "model": "\\u006d" }'))
            got.append(read_exactly(client, len(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#0"))[-2:])
    assert got == [b"#1", b"#0", b"#1"]  # exchange 1 was complete first
    assert [item.times for item in replay.stats.served] == [2, 1]
    assert replay.stats.hits == 3


def test_a_miss_is_a_404_that_names_the_difference_and_the_connection_lives_on(recorded, caplog):
    replay = recorded(exchange(), speed="instant")
    with connected(replay.url) as client, caplog.at_level(logging.WARNING, "tokentape.replay"):
        client.sendall(post(b'{"model":"other","stream":true}'))
        head, _, body = read_until(client, b"}}").partition(b"\r\n\r\n")
        error = json.loads(body)["error"]
        client.sendall(post())
        assert read_until(client, b"0\r\n\r\n") == HEAD + BODY
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\n")
    assert set(error) == {"message", "type", "code", "param"}
    assert "body.model: recorded 'm', the request has 'other'" in error["message"]
    (record,) = caplog.records
    assert record.getMessage() == "not recorded: " + error["message"].replace("\n", "\n  ")
    stats = replay.stats
    assert (stats.misses, [(m.method, m.path, m.times) for m in stats.missed]) == (
        1,
        [("POST", "/v1/chat/completions", 1)],
    )


@pytest.mark.parametrize("path", ["/v1/other", "/v1/models", "/-/health"])
@pytest.mark.parametrize(
    ("version", "header"),
    [("1.0", "Connection: keep-alive\r\n"), ("1.0", ""), ("1.1", "Connection: close\r\n")],
)
def test_an_answer_that_says_so_ends_the_connection_whatever_follows(recorded, path, version, header):
    request = post(b"", path=path, method="GET", version=version, headers=header).replace(
        b"Host: x", b"Host: localhost"
    )
    with connected(recorded(exchange()).url) as client:
        client.sendall(request + post() * 3)
        found = read_all(client)
    assert found.count(b"HTTP/1.1 ") == 1
    assert b"\r\nconnection: close\r\n" in found
    assert b"bad_request" not in found


def test_a_bad_request_gets_a_400_and_the_end_even_if_it_goes_on(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(b"nonsense\r\n\r\n" + b"x" * 500_000)
        data = read_all(client)
    assert data.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert json.loads(data.partition(b"\r\n\r\n")[2])["error"]["code"] == "bad_request"


def test_a_good_request_before_a_bad_one_is_answered(recorded):
    with connected(recorded(exchange()).url) as client:
        client.sendall(post() + b"\0\0\0")
        assert read_all(client).startswith(HEAD + BODY + b"HTTP/1.1 400 ")


def test_a_client_that_vanishes_disturbs_no_other(recorded):
    many = [(n, b"x" * 1_000) for n in range(1, 200)]
    replay = recorded(exchange(0, pieces=many, end_ms=200), exchange(1, body=b"b"))
    for reset in (True, False):
        with connected(replay.url) as client:
            client.sendall(post())
            client.recv(100)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    with connected(replay.url) as client:
        for _ in range(5):
            client.sendall(post(b"b"))
            assert read_until(client, b"0\r\n\r\n") == HEAD + BODY


def test_a_slow_reader_gets_everything_and_delays_no_other(recorded):
    size = 1 << 20
    pieces = [(n, b"x" * size) for n in range(1, 33)]
    replay = recorded(exchange(0, pieces=pieces, end_ms=40), exchange(1, body=b"b"))
    with connected(replay.url) as slow, connected(replay.url) as quick:
        slow.sendall(post())
        slow.recv(10)
        wait_until(lambda: replay.stats.lateness.pieces)  # as many as fit; now its stream is set aside
        for _ in range(3):
            quick.sendall(post(b"b"))
            assert read_until(quick, b"0\r\n\r\n") == HEAD + BODY
        chunk = b"%x\r\n%b\r\n" % (size, b"x" * size)
        rest = HEAD[10:] + chunk * 32 + b"0\r\n\r\n"
        assert read_exactly(slow, len(rest)) == rest


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ({"port": 99_999}, r"cannot listen on 127\.0\.0\.1:99999: expected a port from 0 to 65535"),
        ({"port": -1}, r"cannot listen on 127\.0\.0\.1:-1: expected a port from 0 to 65535"),
        ({"host": ""}, r"expected a host such as 127\.0\.0\.1, or 0\.0\.0\.0 for every address, found ''"),
    ],
)
def test_an_address_that_is_none_is_said(recorded, where, said):
    path = _path_of(recorded(exchange()))
    with pytest.raises(CannotListen, match=said), serve(path, **where):
        pass

    with pytest.raises(CannotListen, match=said):
        reserved_port(**{"host": "127.0.0.1", "port": 0} | where)


def test_a_port_that_is_taken_says_which_and_what_to_do(recorded):
    port = int(recorded(exchange()).url.rpartition(":")[2])
    path = _path_of(recorded(exchange()))
    with (
        pytest.raises(CannotListen, match=rf"127\.0\.0\.1:{port}: .*in use.* port 0"),
        serve(path, port=port),
    ):
        pass


def test_a_stop_lets_answers_end_within_the_grace_and_cuts_off_the_others(tmp_path):
    quick = exchange(0, body=b"q", head_ms=50, pieces=[(100, b"x")], end_ms=150)
    endless = exchange(1, body=b"e", head_ms=0, pieces=[(3_600_000, b"x")], end_ms=3_600_001)

    async def main():
        server = Server(load(tape(tmp_path / "a.tape", quick, endless)))
        await server.start()
        clients = [await asyncio.open_connection(*server.address) for _ in range(3)]
        for (_, writer), body in zip(clients, (b"q", b"e"), strict=False):
            writer.write(post(body))
        for reader, _ in clients[:2]:
            assert await reader.readuntil(b"\r\n\r\n") == HEAD
        assert server.running == 2
        await server.stop(grace_s=2.0)
        answers = []
        for reader, writer in clients:
            try:
                answers.append(await reader.read())
            except ConnectionResetError:
                answers.append(b"")
            writer.close()
        with pytest.raises(OSError):
            await asyncio.open_connection(*server.address)
        await server.stop()  # twice does no harm
        return answers, server.stats

    answers, stats = asyncio.run(main())
    assert answers == [b"1\r\nx\r\n0\r\n\r\n", b"", b""]
    assert stats.cut_off == 1


def test_where_the_system_has_no_more_files_streams_go_on_and_little_is_said(tmp_path, monkeypatch):
    refused, said = [], []

    def no_more_files(self):
        refused.append(self)
        raise OSError(errno.EMFILE, "Too many open files")

    async def main():
        asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
        async with Server(load(tape(tmp_path / "a.tape", exchange()), speed="instant")) as server:
            await server.start()
            reader, writer = await asyncio.open_connection(*server.address)
            writer.write(post())
            assert await reader.readuntil(b"0\r\n\r\n") == HEAD + BODY
            monkeypatch.setattr(socket.socket, "accept", no_more_files)
            began = time.monotonic()
            _, other = await asyncio.open_connection(*server.address)
            for _ in range(20):
                writer.write(post())
                assert await reader.readuntil(b"0\r\n\r\n") == HEAD + BODY
            other.close()
            writer.close()
            return time.monotonic() - began

    took_s = asyncio.run(main())
    assert 0 < len(refused) == len(said) <= 32 * (1 + int(took_s))  # asyncio tries again every second


def test_all_connections_of_a_load_test_may_come_before_the_first_is_accepted(tmp_path):
    async def main():
        async with Server(load(tape(tmp_path / "a.tape", exchange()), speed="instant")) as server:
            await server.start()
            clients = [socket.create_connection(server.address, timeout=10) for _ in range(300)]
            for client in clients:
                client.close()

    asyncio.run(main())  # the loop does not run while they connect
