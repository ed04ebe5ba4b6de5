"""Servers of the same answer as processes, each on the core of servers.

`tokentape replay` and aimock are run as their users run them. Beside them there are two of our own: one in
aiohttp that sleeps before each piece, and the least that asyncio can do.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from benchmarks import aimock
from benchmarks.answers import FIRST_NS, PATH, piece
from benchmarks.cores import on_core_of
from benchmarks.percentiles import percentiles_ms

_ROOT = Path(__file__).parents[1]
_READY = re.compile(rb"listening on http://127\.0\.0\.1:(\d+)")
_TIMEOUT_S = 30


@dataclass
class Served:
    """A server that runs. Once it has been stopped, the rest is there.

    `lateness_ms` and `pieces` are what it counted itself, if it does. `cpu_ns` is what it took from when it
    listened on.
    """

    port: int
    lateness_ms: dict[str, float] = field(default_factory=dict)
    pieces: int = 0
    cpu_ns: int = 0


@contextmanager
def replay(tape: Path, speed: str = "1") -> Iterator[Served]:
    """Run `tokentape replay`."""
    command = (sys.executable, "-m", "tokentape.cli", "replay", str(tape), "--speed", speed, "--json")
    with _server(*command, "--listen", "127.0.0.1:0") as served:
        yield served


@contextmanager
def replay_by_aimock(fixture: Path) -> Iterator[Served]:
    """Run aimock, without cutting blocks. Raises `aimock.Missing`."""
    options = ("--port", "0", "--fixtures", str(fixture), "--chunk-size", "1000000", "--latency", "0")
    with _server(*aimock.command(), *options) as served:
        yield served


@contextmanager
def sleeping(pieces: int, gap_ns: int) -> Iterator[Served]:
    """Run aiohttp, with one sleep for each gap, until the piece's due time: it does not drift."""
    with _server(sys.executable, "-m", "benchmarks.servers", "sleeping", str(pieces), str(gap_ns)) as served:
        yield served


@contextmanager
def bare(answer: Path, request_bytes: int) -> Iterator[Served]:
    """Run a protocol that counts the bytes of requests, and writes a file for as many as one has."""
    with _server(
        sys.executable, "-m", "benchmarks.servers", "bare", str(answer), str(request_bytes)
    ) as served:
        yield served


@contextmanager
def _server(*command: str) -> Iterator[Served]:
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with on_core_of("server"):
            process = subprocess.Popen(command, stdout=out, stderr=err, cwd=_ROOT)
        try:
            served = Served(_port(process, out, err))
            before_ns = _cpu_ns(process.pid)
            yield served
            served.cpu_ns = _cpu_ns(process.pid) - before_ns
        finally:
            process.terminate()
            try:
                process.wait(_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        found = _all_of(out)
        if found.startswith(b"{"):
            said = json.loads(found)
            served.lateness_ms, served.pieces = said["lateness_ms"], said["pieces"]


def _cpu_ns(pid: int) -> int:
    """Return the CPU time that all threads of a process have used."""
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads)


def _port(process: subprocess.Popen[bytes], *outputs: IO[bytes]) -> int:
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        said = b"".join(map(_all_of, outputs))
        if found := _READY.search(said):
            return int(found[1])
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not listen: {said.decode(errors='replace')}")
        time.sleep(0.02)


def _all_of(output: IO[bytes]) -> bytes:
    return os.pread(output.fileno(), 1 << 20, 0)  # the process writes where this one would seek to


class _Bare(asyncio.Protocol):
    def __init__(self, answer: bytes, request_bytes: int) -> None:
        self._answer = answer
        self._request_bytes = request_bytes
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        while self._received >= self._request_bytes:
            self._received -= self._request_bytes
            self._transport.write(self._answer)


async def _serve_bare(answer: bytes, request_bytes: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Bare(answer, request_bytes), "127.0.0.1", 0)
    _say_port(server.sockets[0].getsockname()[1])
    await _until_told()
    server.close()


async def _serve_sleeping(count: int, gap_ns: int) -> None:
    from aiohttp import web

    lateness: list[int] = []
    pieces = [(FIRST_NS + n * gap_ns, piece(n)) for n in range(count)]

    async def stream(request: web.Request) -> web.StreamResponse:
        await request.read()
        anchor = time.monotonic_ns()
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        response.enable_chunked_encoding()
        await response.prepare(request)
        for offset, data in pieces:
            due = anchor + offset
            await asyncio.sleep((due - time.monotonic_ns()) / 1e9)
            await response.write(data)
            lateness.append(time.monotonic_ns() - due)
        return response

    app = web.Application()
    app.router.add_post(PATH.decode(), stream)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    _say_port(runner.addresses[0][1])
    await _until_told()
    await runner.cleanup()
    print(json.dumps({"pieces": len(lateness), "lateness_ms": percentiles_ms(lateness)}))


def _say_port(port: int) -> None:
    print(f"listening on http://127.0.0.1:{port}", file=sys.stderr, flush=True)


async def _until_told() -> None:
    told = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, told.set)
    await told.wait()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["bare", path, size]:
            asyncio.run(_serve_bare(Path(path).read_bytes(), int(size)))
        case ["sleeping", count, gap]:
            asyncio.run(_serve_sleeping(int(count), int(gap)))
