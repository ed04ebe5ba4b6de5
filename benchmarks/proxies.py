"""Proxies as processes, and an upstream and a client that speak just enough HTTP to load them."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

PIECE = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk"}'.ljust(188) + b"\n\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
STREAM_ONLY = "def responseheaders(flow):\n    flow.response.stream = True\n"


def framed(piece: bytes) -> bytes:
    """Return a piece as an HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(piece), piece)


def connect(port: int) -> socket.socket:
    """Return a connection to loopback that does not wait for ever."""
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def accept(upstream: socket.socket) -> socket.socket:
    """Return the next connection that brings a request, with the request read."""
    while True:
        server, _ = upstream.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.recv(65536):
            return server
        server.close()  # opened ahead of a request that never came


def read_until(client: socket.socket, end: bytes) -> None:
    tail = b""
    while not tail.endswith(end):
        received = client.recv(1 << 20)
        if not received:
            raise ConnectionError("the proxy closed the connection in the middle of an answer")
        tail = tail[-len(end) :] + received


def mitmdump(*options: str | Path) -> AbstractContextManager[tuple[int, int]]:
    """Run mitmdump on a free port; yields its process id and the port."""
    mitmdump = Path(sys.executable).with_name("mitmdump")
    options = ("--set", "flow_detail=0", "--set", "connection_strategy=lazy", *options)
    return _proxy(mitmdump, "--listen-host", "127.0.0.1", "--listen-port", "0", *options)


def tokentape_record(*options: str | Path) -> AbstractContextManager[tuple[int, int]]:
    """Run `tokentape record` on a free port; yields its process id and the port."""
    options = ("--set", "connection_strategy=lazy", *options)
    return _proxy(sys.executable, "-m", "tokentape.cli", "record", "--listen", "127.0.0.1:0", *options)


@contextmanager
def _proxy(*command: str | Path) -> Iterator[tuple[int, int]]:
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + 30
            while not (found := re.search(rb"listening .*127\.0\.0\.1:(\d+)", _all_of(output))):
                if time.monotonic() > deadline or process.poll() is not None:
                    raise RuntimeError(f"{command} does not listen: {_all_of(output).decode()}")
                time.sleep(0.05)
            yield process.pid, int(found[1])
        finally:
            process.terminate()
            process.wait()


def _all_of(output: IO[bytes]) -> bytes:
    return os.pread(output.fileno(), 1 << 16, 0)


def cpu_ns(pid: int) -> int:
    """Return the CPU time that a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
