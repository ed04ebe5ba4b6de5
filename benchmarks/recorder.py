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

import selectors
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import trustme

from benchmarks.proxies import (
    HEAD,
    LAST,
    PIECE,
    REQUEST,
    STREAM_ONLY,
    accept,
    connect,
    cpu_ns,
    framed,
    mitmdump,
    read_until,
    tokentape_record,
)

STREAMS = 16
PIECES_EACH = 1000
BULK_PIECES = 20_000
ROUNDS = 10
FRAMED = framed(PIECE)
ADDON = Path(__file__).parents[1] / "recorder" / "addon.py"


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
        for load, mode, upstream, reach, measure in (
            ("HTTPS through the proxy", "regular", secure, partial(_through, here_secure), _piece_a_read),
            ("in front of an HTTPS API", f"reverse:https://{here_secure}", secure, connect, _piece_a_read),
            ("in front of an HTTP API", f"reverse:http://{here}", plain, connect, _piece_a_read),
            ("in bulk", f"reverse:http://{here}", plain, connect, _in_bulk),
        ):
            trust = ["--set", f"ssl_verify_upstream_trusted_ca={folder / 'ca.pem'}"]
            options = ["--mode", mode, *trust]
            tape = folder / f"{load} addon.tape"
            place = ["--proxy"] if mode == "regular" else ["--upstream", mode.removeprefix("reverse:")]
            with (
                mitmdump(*options, "-s", script) as alone,
                mitmdump(*options, "-s", ADDON, "--set", f"tape_out={tape}") as addon,
                tokentape_record(*place, *trust, "-o", folder / f"{load}.tape") as record,
            ):
                rows += _compare(load, alone, addon, record, partial(measure, reach, upstream))
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
            before = cpu_ns(pid)
            pieces, seconds = measure(port)
            if round_number:  # the first is a warm-up
                rates[proxy].append(pieces / seconds)
                cpu_us[proxy].append((cpu_ns(pid) - before) / pieces / 1e3)

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
            "cpu_us_added": median(cpu_us[record]) - median(cpu_us[alone]),
            **figures,
        },
        {
            "benchmark": "recorder",
            "what": f"pieces/s, {load}: mitmdump with the addon / with stream = True",
            "measured": ratio(addon),
            "limit": None,
            "pieces_per_s": median(rates[addon]),
            "cpu_us": median(cpu_us[addon]),
            "cpu_us_added": median(cpu_us[addon]) - median(cpu_us[alone]),
            **figures,
        },
    ]


def _through(target: str, port: int) -> socket.socket:
    """Connect to a target through the proxy, with TLS as the proxy's authority certifies it."""
    client = connect(port)
    client.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    read_until(client, b"\r\n\r\n")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(client)


def _piece_a_read(
    reach: Callable[[int], socket.socket], upstream: socket.socket, port: int
) -> tuple[int, float]:
    """Run streams in lockstep with their clients; return the pieces and the seconds from first to last."""
    selector = selectors.DefaultSelector()
    pairs = []
    for _ in range(STREAMS):
        client = reach(port)
        client.sendall(REQUEST)
        server = accept(upstream)
        server.sendall(HEAD)
        read_until(client, b"\r\n\r\n")
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
        read_until(client, LAST)
        client.close()
        server.close()
    selector.close()
    return STREAMS * PIECES_EACH, seconds


def _in_bulk(reach: Callable[[int], socket.socket], upstream: socket.socket, port: int) -> tuple[int, float]:
    """Read one long answer; return its pieces and the seconds from its first bytes to its last."""
    with reach(port) as client:
        client.sendall(REQUEST)
        server = accept(upstream)
        sender = threading.Thread(target=server.sendall, args=(HEAD + FRAMED * BULK_PIECES + LAST,))
        sender.start()
        client.recv(65536)
        start = time.perf_counter()
        read_until(client, b"\n" + LAST)
        seconds = time.perf_counter() - start
        sender.join()
        server.close()
    return BULK_PIECES, seconds
