"""The memory of a proxy over thousands of exchanges, with the recorder and without it.

Each proxy passes the same load on: first some exchanges to warm up, then the load twice. What a proxy keeps
of finished exchanges would grow with each. The figure is how much its resident memory grew over the second
half, when all that is allocated once has been; beside it stands how much it grew in all.
"""

import socket
import tempfile
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from benchmarks.proxies import (
    HEAD,
    LAST,
    PIECE,
    REQUEST,
    STREAM_ONLY,
    accept,
    connect,
    framed,
    mitmdump,
    read_until,
    tokentape_record,
)

EXCHANGES = 2000
PIECES_EACH = 50
WARM_UP = 200


def run() -> list[dict[str, Any]]:
    """Return a row for each proxy."""
    with socket.create_server(("127.0.0.1", 0)) as upstream, tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "stream_only.py")
        script.write_text(STREAM_ONLY)
        url = f"http://127.0.0.1:{upstream.getsockname()[1]}"
        record = tokentape_record("--upstream", url, "-o", Path(folder, "a.tape"))
        alone = mitmdump("--mode", f"reverse:{url}", "-s", script)
        return [
            _row("tokentape record", 2.0, _grown(upstream, record)),
            _row("mitmdump with stream = True", None, _grown(upstream, alone)),
        ]


def _row(proxy: str, limit: float | None, resident: list[int]) -> dict[str, Any]:
    begin, middle, end = (size / 1e6 for size in resident)
    return {
        "benchmark": "memory",
        "what": f"{proxy}: growth over the second half of {EXCHANGES:,} exchanges, "
        f"{EXCHANGES * PIECES_EACH:,} pieces",
        "measured": end - middle,
        "unit": "MB",
        "limit": limit,
        "better": "lower",
        "grown_in_all_mb": end - begin,
        "resident_mb": end,
    }


def _grown(upstream: socket.socket, proxy: AbstractContextManager[tuple[int, int]]) -> list[int]:
    """Return the resident memory after warming up, half the load and all of it, in bytes."""
    with proxy as (pid, port):
        _exchange(upstream, port, WARM_UP)
        resident = [_resident(pid)]
        for _ in range(2):
            _exchange(upstream, port, EXCHANGES // 2)
            resident.append(_resident(pid))
    return resident


def _exchange(upstream: socket.socket, port: int, count: int) -> None:
    for _ in range(count):
        with connect(port) as client:
            client.sendall(REQUEST)
            with accept(upstream) as server:
                server.sendall(HEAD)
                for _ in range(PIECES_EACH):
                    server.sendall(framed(PIECE))
                server.sendall(LAST)
                read_until(client, b"\n" + LAST)


def _resident(pid: int) -> int:
    """Return the memory of a process that is in RAM, in bytes."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no VmRSS")
