"""The stamp of each piece in the cassette against the kernel's own stamp of the packet that brought it.

A raw socket on loopback sees every packet with the time at which the kernel had it (SO_TIMESTAMPNS, the
wall clock); each piece carries a number by which it is found again in the packets and in the cassette. The
load is that of models, not of a flood: what is measured is how late the recorder looks at its clock, and a
proxy with more to do than it can has every piece wait in the kernel, which no stamp of its own can show.

A raw socket takes the right to open one: without it (CAP_NET_RAW), or outside Linux, there is no row.
"""

import re
import socket
import statistics
import struct
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.proxies import HEAD, LAST, REQUEST, accept, connect, framed, read_until, tokentape_record
from tokentape import cassette

STREAMS = 20
PIECES_EACH = 100
GAP_S = 0.02  # 50 pieces a second, as models send them
_TIMESTAMP_NS = 35  # SO_TIMESTAMPNS, socket(7); Python has no name for it
_ALL_PROTOCOLS = 0x0003  # ETH_P_ALL
_MARK = re.compile(rb"<piece (\d{8})>")


def run() -> list[dict[str, Any]]:
    """Return the row, or none where packets cannot be captured."""
    try:
        capture = _capture()
    except (AttributeError, PermissionError):
        return []
    with (
        capture,
        socket.create_server(("127.0.0.1", 0)) as upstream,
        tempfile.TemporaryDirectory() as folder,
    ):
        path = Path(folder, "a.tape")
        url = f"http://127.0.0.1:{upstream.getsockname()[1]}"
        arrived: dict[int, int] = {}
        stop = threading.Event()
        watching = threading.Thread(target=_watch, args=(capture, upstream.getsockname()[1], arrived, stop))
        watching.start()
        with tokentape_record("--upstream", url, "-o", path) as (_, port):
            _load(upstream, port)
        stop.set()
        watching.join()
        late_ms = [(stamped - arrived[number]) / 1e6 for number, stamped in _stamps(path).items()]
    return [
        {
            "benchmark": "stamps",
            "what": f"stamp of a piece after the kernel's stamp of its packet, median, {STREAMS} streams x "
            f"{1 / GAP_S:.0f} pieces/s",
            "measured": statistics.median(late_ms),
            "unit": "ms",
            "limit": 0.3,
            "better": "lower",
            "p99_ms": statistics.quantiles(late_ms, n=100)[98],
            "min_ms": min(late_ms),
            "max_ms": max(late_ms),
            "pieces": len(late_ms),
        }
    ]


def _capture() -> socket.socket:
    capture = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
    capture.bind(("lo", 0))
    capture.setsockopt(socket.SOL_SOCKET, _TIMESTAMP_NS, 1)
    capture.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 24)
    capture.settimeout(0.1)
    return capture


def _watch(capture: socket.socket, port: int, arrived: dict[int, int], stop: threading.Event) -> None:
    """Note when the packets from a port came that bring a piece, in Unix ns, until told to stop."""
    while True:
        try:
            packet, ancillary, _, address = capture.recvmsg(1 << 16, 256)
        except TimeoutError:
            if stop.is_set():
                return
            continue
        if address[2] == socket.PACKET_OUTGOING:  # loopback shows each packet as it leaves and as it arrives
            continue
        header_bytes = 14 + (packet[14] & 0x0F) * 4  # Ethernet and IPv4
        if struct.unpack_from("!H", packet, header_bytes)[0] != port:
            continue
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, _TIMESTAMP_NS):
                seconds, ns = struct.unpack("qq", data)
                for number in _MARK.findall(packet):
                    arrived[int(number)] = seconds * 1_000_000_000 + ns


def _load(upstream: socket.socket, port: int) -> None:
    """Have all streams sent at their pace, evenly spread, and received."""
    clients, servers = [], []
    for _ in range(STREAMS):
        client = connect(port)
        client.sendall(REQUEST)
        server = accept(upstream)
        server.sendall(HEAD)
        clients.append(client)
        servers.append(server)
    receiving = [threading.Thread(target=read_until, args=(client, LAST)) for client in clients]
    for thread in receiving:
        thread.start()
    start = time.monotonic()
    for number in range(STREAMS * PIECES_EACH):
        time.sleep(max(0.0, start + number * GAP_S / STREAMS - time.monotonic()))
        servers[number % STREAMS].sendall(framed(b"data: <piece %08d>\n\n" % number))
    for server in servers:
        server.sendall(LAST)
    for thread in receiving:
        thread.join()
    for each in (*clients, *servers):
        each.close()


def _stamps(path: Path) -> dict[int, int]:
    """Return the time of each piece of a cassette by its number, in Unix ns."""
    found: dict[int, int] = {}
    with cassette.open(path) as tape:
        for record in tape:
            if isinstance(record, cassette.Section):
                wall_ns = record.wall_ns
            elif isinstance(record, cassette.Chunk):
                for number in _MARK.findall(record.data):
                    found[int(number)] = wall_ns + record.t
    return found
