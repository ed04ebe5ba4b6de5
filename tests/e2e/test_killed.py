"""A recorder may be killed at any moment: every piece that a client had received is in the file.

Fifty clients at a time read streams of pieces of their own through a recorder, which ends at a moment that
a seed chooses: after so many reads of all clients together, which begin to count when all streams are under
way (in a fifth of the cases at once, while they begin). What has arrived at the clients until their
connections end, that is all that they had received, must be in the cassette.
"""

import selectors
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Self

import pytest

from tests.e2e.recorded import all_of, check
from tests.e2e.routes import CHAT
from tests.e2e.wire import HOST, TIMEOUT_S, chunk, dechunked, head
from tests.e2e.zygote import Zygote
from tokentape import cassette

STREAMS = 50
KILLS = 100
BATCHES = 4
HEAD = head("HTTP/1.1 200 OK", ("Content-Type", "text/event-stream"), ("Transfer-Encoding", "chunked"))


class Stream:
    """One stream: the pieces that were sent, the bytes that its client has received."""

    def __init__(self, number: int, random: Random) -> None:
        self.number = number
        self.target = f"{CHAT}?stream={number}".encode()
        self.random = random
        self.sent = b""  # the body so far
        self.received = bytearray()
        self.client: socket.socket | None = None
        self.upstream: socket.socket | None = None
        self.unsent = b""
        self.reads = 0
        self.open = True

    def next_piece(self) -> bytes:
        size = self.random.choice((1, 60, 200, 200, 200, 1000, 20_000))
        return b"%d:%d:" % (self.number, len(self.sent)) + self.random.randbytes(size)

    @property
    def body(self) -> bytes:
        return dechunked(bytes(self.received).partition(b"\r\n\r\n")[2])


class Load:
    """Fifty clients and their upstream, in one loop: each read of a client has the next piece sent."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.streams = [Stream(number, Random(f"{seed}/{number}")) for number in range(STREAMS)]
        self.reads = 0
        self._selector = selectors.DefaultSelector()
        self._listener = socket.create_server((HOST, 0), backlog=STREAMS)
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._unknown: dict[socket.socket, bytes] = {}
        self.url = f"http://{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._selector.close()
        sockets = [self._listener, *self._unknown]
        for stream in self.streams:
            sockets += [end for end in (stream.client, stream.upstream) if end]
        for each in sockets:
            each.close()

    def connect(self, port: int) -> None:
        for stream in self.streams:
            client = stream.client = socket.create_connection((HOST, port), timeout=TIMEOUT_S)
            target = stream.target.decode()
            client.sendall(
                head(f"POST {target} HTTP/1.1", ("Host", "x"), ("Content-Length", "2"), ("X-A", "b")) + b"{}"
            )
            client.setblocking(False)
            self._selector.register(client, selectors.EVENT_READ, lambda stream=stream: self._read(stream))

    def run_for(self, reads: int) -> None:
        """Move pieces until so many more reads of clients."""
        reads += self.reads
        self.run_until(lambda: self.reads >= reads)

    def run_until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 2 * TIMEOUT_S
        while not done():
            assert time.monotonic() < deadline, f"not done after {self.reads} reads"
            for key, _ in self._selector.select(0.05):
                key.data()
                if done():
                    return

    def run_until_all_flow(self) -> None:
        """Move pieces until every client has some."""
        self.run_until(lambda: all(stream.reads > 2 for stream in self.streams))

    def run_to_the_end(self) -> None:
        """Move pieces until every client's connection has ended."""
        self.run_until(lambda: not any(stream.open for stream in self.streams))

    def vanish(self) -> None:
        """Close every client's connection without reading what has arrived."""
        for stream in self.streams:
            assert stream.client
            self._selector.unregister(stream.client)
            stream.client.close()
            stream.open = False

    def _accept(self) -> None:
        upstream, _ = self._listener.accept()
        upstream.setblocking(False)
        self._unknown[upstream] = b""
        self._selector.register(upstream, selectors.EVENT_READ, lambda: self._ask(upstream))

    def _ask(self, upstream: socket.socket) -> None:
        """Read a request, and begin to answer once it is complete."""
        try:
            data = upstream.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            self._selector.unregister(upstream)
            self._unknown.pop(upstream, None)
            upstream.close()
            return
        if upstream not in self._unknown:
            return
        self._unknown[upstream] += data
        if self._unknown[upstream].endswith(b"\r\n\r\n{}"):
            number = int(self._unknown.pop(upstream).split(b" ", 2)[1].rpartition(b"=")[2])
            self.streams[number].upstream = upstream
            self._send(self.streams[number], HEAD)
            for _ in range(self.random.randrange(1, 4)):
                self._send_piece(self.streams[number])

    def _read(self, stream: Stream) -> None:
        assert stream.client
        try:
            data = stream.client.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            stream.open = False
            self._selector.unregister(stream.client)
            return
        self.reads += 1
        stream.reads += 1
        stream.received += data
        self._send_piece(stream)

    def _send_piece(self, stream: Stream) -> None:
        if not stream.unsent:
            piece = stream.next_piece()
            stream.sent += piece
            self._send(stream, chunk(piece))
        else:
            self._send(stream, b"")

    def _send(self, stream: Stream, data: bytes) -> None:
        data = stream.unsent + data
        stream.unsent = b""
        if stream.upstream is None or stream.upstream.fileno() < 0:
            return
        try:
            sent = stream.upstream.send(data)
        except BlockingIOError:
            sent = 0
        except ConnectionError:
            return
        stream.unsent = data[sent:]


def wrong(streams: list[Stream], path: Path) -> list[str]:
    """Return what clients have that the cassette has not, and what it has that was not sent."""
    found = {exchange.request.path: exchange for exchange in all_of(path) if exchange.request}
    wrong = []
    for stream in streams:
        exchange = found.get(stream.target)
        if exchange is not None:
            check(exchange)
        body = exchange.body if exchange else b""
        if stream.received and (exchange is None or exchange.response is None):
            wrong.append(f"stream {stream.number} has no head")
        if not body.startswith(stream.body):
            wrong.append(f"stream {stream.number} lacks what its client has")
        if not stream.sent.startswith(body):
            wrong.append(f"stream {stream.number} has what was not sent")
    return wrong


@pytest.fixture(scope="module")
def zygote(home: dict[str, str]) -> Iterator[Zygote]:
    with Zygote(home) as zygote:
        yield zygote


def kill(zygote: Zygote, folder: Path, seed: int) -> tuple[list[Stream], Path]:
    """Kill a recorder at the moment that the seed chooses."""
    path, log = folder / f"{seed}.tape", folder / f"{seed}.log"
    with Load(seed) as load:
        recorder = zygote.record(log, "--upstream", load.url, "-o", path)
        load.connect(recorder.port())
        if load.random.random() < 0.8:
            load.run_until_all_flow()
        load.run_for(load.random.randrange(500))
        recorder.kill()
        load.run_to_the_end()
        assert recorder.wait() == -signal.SIGKILL
    return load.streams, path


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_a_client_has_is_in_the_file_of_a_recorder_that_was_killed(
    zygote: Zygote, tmp_path: Path, batch: int
):
    for seed in range(batch, KILLS, BATCHES):
        streams, path = kill(zygote, tmp_path, seed)
        assert wrong(streams, path) == [], f"killed with seed {seed}"
        path.unlink()


@pytest.mark.parametrize("seed", range(10))
def test_a_recorder_that_is_terminated_under_load_ends_every_stream(
    zygote: Zygote, tmp_path: Path, seed: int
):
    path = tmp_path / "a.tape"
    with Load(seed) as load:
        recorder = zygote.record(tmp_path / "log", "--upstream", load.url, "-o", path)
        load.connect(recorder.port())
        load.run_until_all_flow()
        load.run_for(load.random.randrange(200))
        recorder.kill(signal.SIGTERM)
        load.run_to_the_end()
        assert recorder.wait() == 0
    assert wrong(load.streams, path) == []
    with cassette.open(path) as tape:
        found = list(cassette.exchanges(tape))
        assert not tape.interrupted
    assert [exchange.end and exchange.end.reason for exchange in found] == ["recorder-stopped"] * STREAMS
    said = recorder.log.read_text()
    assert "Traceback" not in said
    assert "error" not in said


def test_clients_that_all_vanish_leave_what_they_had(zygote: Zygote, tmp_path: Path):
    path = tmp_path / "a.tape"
    with Load(2) as load:
        recorder = zygote.record(tmp_path / "log", "--upstream", load.url, "-o", path)
        load.connect(recorder.port())
        load.run_until_all_flow()
        load.run_for(200)
        load.vanish()
        load.run_until(lambda: recorder.log.read_text().count("client-closed") == STREAMS)
        assert wrong(load.streams, path) == []
        recorder.kill(signal.SIGTERM)
        assert recorder.wait() == 0
    reasons = [exchange.end and exchange.end.reason for exchange in all_of(path)]
    assert reasons == ["client-closed"] * STREAMS


def test_a_writer_with_a_buffer_would_be_found_out(tmp_path: Path, home: dict[str, str]):
    with Zygote(home, buffered=True) as zygote:
        assert any(wrong(*kill(zygote, tmp_path, seed)) for seed in range(3, 13))
