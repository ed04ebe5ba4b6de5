"""Pieces per second through mitmproxy with the recorder, against mitmproxy that only streams.

Three proxies run through the whole measurement and take turns, so that a change of the machine's speed
meets all: `mitmdump` with `stream = True`, `mitmdump` with the recorder as an addon, and `tokentape record`,
which runs mitmproxy on a faster event loop. The limit is on `tokentape record`; the addon is measured on
the same loop as mitmproxy alone, and shows what recording itself costs. A piece has 190 bytes, as those of
chat completions have.

Four loads, each as much as the proxy can take. In the first three, on each of 16 streams the next piece is
sent when the client has the one before, as models send them: every piece costs the proxy a read, a pass
through its layers and a write.

- *HTTPS through the proxy*: TLS on both sides, as with `tokentape record --proxy`.
- *in front of an HTTPS API*: TLS to the upstream only, as with `tokentape record --upstream https://...`.
- *in front of an HTTP API*: no TLS, as with a model on the same machine.
- *in bulk*: no TLS, and a whole answer at once, some 300 pieces to a read. mitmproxy has least to do for a
  piece then, and the recorder's one write for each weighs most.
"""

import os
import re
import selectors
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import IO, Any

import trustme

STREAMS = 16
PIECES_EACH = 1000
BULK_PIECES = 20_000
ROUNDS = 10
PIECE = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk"}'.ljust(188) + b"\n\n"
FRAMED = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"
REQUEST = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
ADDON = Path(__file__).parents[1] / "recorder" / "addon.py"
STREAM_ONLY = "def responseheaders(flow):\n    flow.response.stream = True\n"


def run() -> list[dict[str, Any]]:
    """Return for each load the ratio of the rates, and the CPU time that the recorder adds to a piece."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        script = folder / "stream_only.py"
        script.write_text(STREAM_ONLY)
        plain = socket.create_server(("127.0.0.1", 0))
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        secure = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        here = f"127.0.0.1:{plain.getsockname()[1]}"
        here_secure = f"127.0.0.1:{secure.getsockname()[1]}"
        rows: list[dict[str, Any]] = []
        for load, mode, upstream, connect, measure in (
            ("HTTPS through the proxy", "regular", secure, partial(_through, here_secure), _piece_a_read),
            ("in front of an HTTPS API", f"reverse:https://{here_secure}", secure, _connect, _piece_a_read),
            ("in front of an HTTP API", f"reverse:http://{here}", plain, _connect, _piece_a_read),
            ("in bulk", f"reverse:http://{here}", plain, _connect, _in_bulk),
        ):
            trust = ["--set", f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}"]
            options = ["--mode", mode, *trust]
            tape = folder / f"{load} addon.tape"
            place = ["--proxy"] if mode == "regular" else ["--upstream", mode.removeprefix("reverse:")]
            with (
                _mitmdump(*options, "-s", script) as alone,
                _mitmdump(*options, "-s", ADDON, "--set", f"tape_out={tape}") as addon,
                _tokentape_record(*place, *trust, "-o", folder / f"{load}.tape") as record,
            ):
                rows += _compare(load, alone, addon, record, partial(measure, connect, upstream))
        plain.close()
        secure.close()
        return rows


def _compare(
    load: str,
    alone: tuple[int, int],
    addon: tuple[int, int],
    record: tuple[int, int],
    measure: Callable[[int], tuple[int, float]],
) -> list[dict[str, Any]]:
    proxies = [alone, addon, record]
    rates: dict[tuple[int, int], list[float]] = {proxy: [] for proxy in proxies}
    cpu_us: dict[tuple[int, int], list[float]] = {proxy: [] for proxy in proxies}
    for round_number in range(ROUNDS + 1):
        # taking turns also in who goes first
        for proxy in proxies if round_number % 2 else reversed(proxies):
            pid, port = proxy
            before = _cpu_ns(pid)
            pieces, seconds = measure(port)
            if round_number:  # the first is a warm-up
                rates[proxy].append(pieces / seconds)
                cpu_us[proxy].append((_cpu_ns(pid) - before) / pieces / 1e3)

    def ratio(proxy: tuple[int, int]) -> float:
        return median(with_it / without for with_it, without in zip(rates[proxy], rates[alone], strict=True))

    figures = {
        "pieces_per_s_alone": median(rates[alone]),
        "cpu_us_alone": median(cpu_us[alone]),
        "rounds": ROUNDS,
    }
    return [
        {
            "benchmark": "recorder",
            "what": f"pieces/s, {load}: tokentape record / mitmdump with stream = True",
            "measured": ratio(record),
            "limit": 0.95,
            "better": "higher",
            "pieces_per_s": median(rates[record]),
            "cpu_us": median(cpu_us[record]),
            **figures,
        },
        {
            "benchmark": "recorder",
            "what": f"pieces/s, {load}: mitmdump with the addon / with stream = True",
            "measured": ratio(addon),
            "limit": None,
            "pieces_per_s": median(rates[addon]),
            "cpu_us": median(cpu_us[addon]),
            **figures,
        },
    ]


def _connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=30)


def _through(target: str, port: int) -> socket.socket:
    """Connect to a target through the proxy, with TLS as the proxy's authority certifies it."""
    client = _connect(port)
    client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    _read_until(client, b"\r\n\r\n")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(client)


def _piece_a_read(
    connect: Callable[[int], socket.socket], upstream: socket.socket, port: int
) -> tuple[int, float]:
    """Run streams in lockstep with their clients; return the pieces and the seconds from first to last."""
    selector = selectors.DefaultSelector()
    pairs = []
    for _ in range(STREAMS):
        client = connect(port)
        client.sendall(REQUEST)
        server = _accept(upstream)
        server.sendall(HEAD)
        _read_until(client, b"\r\n\r\n")
        pairs.append((client, server))
        selector.register(client, selectors.EVENT_READ, [server, 0, 0])  # pieces and bytes received
    start = time.perf_counter()
    for _, server in pairs:
        server.sendall(FRAMED)
    live = STREAMS
    while live:
        for key, _ in selector.select():
            client, (server, received, have) = key.fileobj, key.data
            have += len(client.recv(65536))  # type: ignore[union-attr]
            if have < len(FRAMED):
                key.data[2] = have
                continue
            key.data[1:] = [received + 1, have - len(FRAMED)]
            if received + 1 < PIECES_EACH:
                server.sendall(FRAMED)
            else:
                live -= 1
                selector.unregister(client)
    seconds = time.perf_counter() - start
    for client, server in pairs:
        server.sendall(LAST)
        _read_until(client, LAST)
        client.close()
        server.close()
    selector.close()
    return STREAMS * PIECES_EACH, seconds


def _in_bulk(
    connect: Callable[[int], socket.socket], upstream: socket.socket, port: int
) -> tuple[int, float]:
    """Read one long answer; return its pieces and the seconds from its first bytes to its last."""
    with connect(port) as client:
        client.sendall(REQUEST)
        server = _accept(upstream)
        sender = threading.Thread(target=server.sendall, args=(HEAD + FRAMED * BULK_PIECES + LAST,))
        sender.start()
        client.recv(65536)
        start = time.perf_counter()
        _read_until(client, b"\n" + LAST)
        seconds = time.perf_counter() - start
        sender.join()
        server.close()
    return BULK_PIECES, seconds


def _accept(upstream: socket.socket) -> socket.socket:
    """Return the next connection that brings a request, with the request read."""
    while True:
        server, _ = upstream.accept()
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if server.recv(65536):
            return server
        server.close()  # opened ahead of a request that never came


def _read_until(client: socket.socket, end: bytes) -> None:
    tail = b""
    while not tail.endswith(end):
        received = client.recv(1 << 20)
        if not received:
            raise ConnectionError("the proxy closed the connection in the middle of an answer")
        tail = tail[-len(end) :] + received


def _mitmdump(*options: str | Path) -> AbstractContextManager[tuple[int, int]]:
    """Run mitmdump on a free port; yields its process id and the port."""
    mitmdump = Path(sys.executable).with_name("mitmdump")
    options = ("--set", "flow_detail=0", "--set", "connection_strategy=lazy", *options)
    return _proxy(mitmdump, "--listen-host", "127.0.0.1", "--listen-port", "0", *options)


def _tokentape_record(*options: str | Path) -> AbstractContextManager[tuple[int, int]]:
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


def _cpu_ns(pid: int) -> int:
    """Return the CPU time that a process has used."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
