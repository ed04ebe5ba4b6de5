"""Clients that keep a server waiting: what becomes of them, and that nobody else pays for it."""

import asyncio
import socket
from contextlib import asynccontextmanager

import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tests.replay.waiting import TIMEOUT_S, until, wait_until
from tokentape.replay import Limits, Server, load, serve

SHORT = Limits(idle_s=None, request_s=0.2, unread_s=0.2)  # a busy machine may be idle for longer
MB = 1 << 20
HIGH_WATER = 64 * 1024  # asyncio's own


@asynccontextmanager
async def serving(tmp_path, *exchanges, limits=None, speed=1.0):
    async with Server(load(tape(tmp_path / "a.tape", *exchanges), speed=speed), limits=limits) as server:
        await server.start()
        yield server


def unread(server):
    return sum(each._transport.get_write_buffer_size() for each in server._connections)


def unwilling(address):
    """A socket whose owner will not read, and whose system keeps little for it."""
    client = socket.socket()
    client.settimeout(TIMEOUT_S)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(address)
    return client


@pytest.mark.parametrize(
    "part", [b"P", post()[:40], post(headers="X: y\r\n")[:-5]], ids=["1", "head", "body"]
)
def test_a_request_whose_rest_does_not_come_gets_no_answer_and_the_end(tmp_path, part, caplog):
    with serve(tape(tmp_path / "a.tape", exchange()), limits=SHORT) as replay:
        with connected(replay.url) as client:
            client.sendall(part)
            assert read_all(client) == b""
        assert replay.stats.incomplete == 1
    assert "expected the rest of a request within 0.2 s" in caplog.text


def test_hundreds_of_requests_that_trickle_keep_nobody_from_an_answer(tmp_path):
    async def trickle(server):
        reader, writer = await asyncio.open_connection(*server.address)
        for byte in post():
            writer.write(bytes([byte]))
            await asyncio.sleep(0.05)
            if reader.at_eof() or writer.is_closing():
                break
        writer.transport.abort()

    async def main():
        async with serving(tmp_path, exchange(), limits=SHORT) as server:
            slow = [asyncio.create_task(trickle(server)) for _ in range(300)]
            for _ in range(10):
                reader, writer = await asyncio.open_connection(*server.address)
                writer.write(post())
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                writer.close()
            await until(lambda: server.stats.incomplete == len(slow))
            await asyncio.gather(*slow, return_exceptions=True)

    asyncio.run(asyncio.wait_for(main(), 3 * TIMEOUT_S))


def test_a_connection_that_is_kept_open_is_closed_when_nothing_comes_and_that_is_no_fault(tmp_path, caplog):
    limits = Limits(idle_s=1.5, request_s=0.2, unread_s=0.2)
    with serve(tape(tmp_path / "a.tape", exchange()), limits=limits) as replay:
        with connected(replay.url) as new, connected(replay.url) as kept:
            kept.sendall(post())
            read_until(kept, b"0\r\n\r\n")
            assert read_all(kept) == b""
            assert read_all(new) == b""
        stats = replay.stats
    assert (stats.incomplete, stats.unread, caplog.text) == (0, 0, "")


@pytest.mark.skipif(not hasattr(socket, "TCP_KEEPIDLE"), reason="the system has a time of its own")
def test_the_system_asks_whether_a_silent_client_is_there(tmp_path):
    async def main():
        async with serving(tmp_path, exchange()) as server:
            _, writer = await asyncio.open_connection(*server.address)
            await until(lambda: server._connections)
            (connection,) = server._connections
            found = connection._socket()
            assert found.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert found.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
            writer.close()

    asyncio.run(main())


def test_an_answer_that_pauses_for_longer_than_any_limit_goes_on(tmp_path):
    slow = exchange(pieces=[(2, b"a"), (900, b"b")], end_ms=901)
    with serve(tape(tmp_path / "a.tape", slow), limits=SHORT) as replay, connected(replay.url) as client:
        client.sendall(post())
        assert read_until(client, b"0\r\n\r\n").endswith(b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n")


@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_a_client_that_reads_nothing_holds_little_memory_and_is_cut_off(tmp_path, speed, caplog):
    endless = exchange(0, pieces=[(1, b"x" * 65_536)] * 800, head_ms=0, end_ms=2)

    async def main():
        async with serving(tmp_path, endless, exchange(1, body=b"b"), speed=speed, limits=SHORT) as server:
            client = unwilling(server.address)
            client.sendall(post())
            await until(lambda: unread(server) > 0)
            assert unread(server) <= HIGH_WATER + 5 * MB
            for _ in range(100):
                reader, writer = await asyncio.open_connection(*server.address)
                writer.write(post(b"b"))
                assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                writer.close()
            assert unread(server) <= HIGH_WATER + 5 * MB
            await until(lambda: server.stats.unread == 1)
            await until(lambda: not server.running)
            client.close()
            assert server.stats.cut_off == 0

    asyncio.run(asyncio.wait_for(main(), 3 * TIMEOUT_S))
    assert "1 answer cut off: expected the client to read on within 0.2 s" in caplog.text


def test_every_piece_of_an_answer_that_is_read_late_is_counted_as_timed_or_as_held(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(1, b"x" * 65_536)] * 300, end_ms=2))
    with serve(path) as replay, connected(replay.url) as client:
        client.sendall(post())
        wait_until(lambda: replay.stats.lateness.pieces)  # as many as fit; now its stream is set aside
        tail = b""
        while not tail.endswith(b"x\r\n0\r\n\r\n"):
            more = client.recv(1 << 18)
            assert more
            tail = (tail + more)[-20:]
    lateness = replay.stats.lateness
    assert lateness.held > 0
    assert lateness.pieces + lateness.held == 302


@pytest.mark.parametrize("target", ["/none", "/v1/models"])
def test_a_client_that_asks_without_end_and_reads_nothing_is_not_answered_without_end(tmp_path, target):
    one = post(b"", method="GET", path=target)

    async def main():
        async with serving(tmp_path, exchange()) as server:
            client = unwilling(server.address)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            asking = asyncio.create_task(loop.sock_sendall(client, one * 200_000))
            most = 0

            def full():
                nonlocal most
                most = max(most, unread(server))
                return most > HIGH_WATER

            await until(full)
            for _ in range(50):
                await asyncio.sleep(0.001)
                full()
            assert most <= HIGH_WATER + 16 * 1024
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            client.close()

    asyncio.run(asyncio.wait_for(main(), 3 * TIMEOUT_S))


@pytest.mark.parametrize(("limit", "status"), [("max_head_bytes", 431), ("max_body_bytes", 413)])
def test_the_sizes_that_are_accepted_can_be_set(tmp_path, limit, status):
    with serve(tape(tmp_path / "a.tape", exchange()), limits=Limits(**{limit: 100})) as replay:
        for size, expected in ((20, b"HTTP/1.1 404 "), (200, b"HTTP/1.1 %d " % status)):
            with connected(replay.url) as client:
                in_head = "X: " + "x" * size + "\r\n" if limit == "max_head_bytes" else ""
                body = b"" if in_head else b"x" * size
                client.sendall(post(body, path="/a", headers=in_head + "Connection: close\r\n"))
                assert read_all(client).startswith(expected)
