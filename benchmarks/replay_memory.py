"""What a replay takes: time to open a large cassette, and memory, beside the size of the file.

The command itself is run. It says that it listens once every record has been read and checked and every
answer is prepared. The time until then is that of the processor, with the start of Python in it, since
what else the machine does is no part of it; the clock's stands beside it. The cassette is of streams of 200
pieces of about 190 bytes, TOKENTAPE_BENCH_MB megabytes of them (256; 1000 takes a minute, most of it to
write the cassette). Then, with a small cassette, a thousand connections are opened and nothing is asked, and
a thousand streams are begun that all are on their way: what the resident memory grows by, for each.
"""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.proxies import connect, cpu_ns, read_until
from tokentape import cassette

MEGABYTES = int(os.environ.get("TOKENTAPE_BENCH_MB", "256"))
CONNECTIONS = 1_000
PIECES = 200
SMALL_GAP_NS = 1_000_000_000
REQUEST = b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n"


def run() -> list[dict[str, Any]]:
    """Return a row for the time, one for the memory, and one for each kind of connection."""
    with tempfile.TemporaryDirectory() as folder:
        large = write_streams(Path(folder, "large.tape"), MEGABYTES * 1_000_000)
        small = write_streams(Path(folder, "small.tape"), 1)
        size = large.stat().st_size
        with _replay(small) as (_, pid, _):
            alone = resident(pid)
        with _replay(large) as (opened_s, pid, _):
            cpu_s = cpu_ns(pid) / 1e9
            held = resident(pid) - alone
            peak = resident(pid, "VmHWM") - alone
        with _replay(small) as (_, pid, port):
            idle, active = _each(pid, port)
    row = {"benchmark": "replay memory", "better": "lower"}
    file = f"a cassette of {size / 1e6:,.0f} MB"
    return [
        row
        | {
            "what": f"opening {file}: seconds of processor until it is served, for each GB",
            "measured": cpu_s / (size / 1e9),
            "unit": "s/GB",
            "limit": 15.0,
            "opened_s": opened_s,
        },
        row
        | {
            "what": f"serving {file}: resident memory beyond that of a small one / size of the file",
            "measured": held / size,
            "unit": "x",
            "limit": 0.5,
            "resident_mb": held / 1e6,
            "peak_mb": peak / 1e6,
        },
        row
        | {
            "what": f"memory of a connection, {CONNECTIONS:,} of which nothing is asked",
            "measured": idle / 1e3,
            "unit": "kB",
            "limit": 10.0,
        },
        row
        | {
            "what": f"memory of a connection with a stream on its way, {CONNECTIONS:,} at a time",
            "measured": active / 1e3,
            "unit": "kB",
            "limit": 10.0,
        },
    ]


def write_streams(path: Path, size: int) -> Path:
    """Write streams to a cassette, at least one, until it has a size; request `/N` is for the Nth."""
    section = cassette.Section(version=1, wall_ns=0, mono_ns=0, writer="benchmark", proxy="", host="")
    headers = ((b"content-type", b"text/event-stream"),)
    number = t = 0
    with cassette.Writer(path, section) as tape:
        while number == 0 or path.stat().st_size < size:
            tape.write(
                cassette.Request(
                    exchange=number,
                    t=t,
                    t_end=t,
                    method="GET",
                    scheme="http",
                    host="localhost",
                    port=80,
                    path=b"/%d" % number,
                    http_version="HTTP/1.1",
                    headers=(),
                    body=b"",
                    connection="",
                )
            )
            tape.write(
                cassette.Response(
                    exchange=number, t=t, status=200, reason=b"OK", http_version="HTTP/1.1", headers=headers
                )
            )
            for n in range(PIECES):
                data = b"data: %06d %b\n\n" % (n, b"x" * 180)
                tape.write(cassette.Chunk(exchange=number, t=t + n * SMALL_GAP_NS, data=data))
            t += PIECES * SMALL_GAP_NS
            tape.write(cassette.End(exchange=number, t=t, reason="complete", chunks=PIECES))
            number += 1
        tape.write(cassette.Close(t=t, exchanges=number, chunks=number * PIECES, bytes=0))
    return path


def resident(pid: int, what: str = "VmRSS") -> int:
    """Return the memory of a process that is in RAM, in bytes; `VmHWM` is the most it ever was."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"process {pid} has no {what}")


def _each(pid: int, port: int) -> tuple[float, float]:
    """Return what each of many connections adds without a request, and each of as many that stream."""
    _more_files()
    before = resident(pid)
    with ExitStack() as clients:
        found = [clients.enter_context(connect(port)) for _ in range(CONNECTIONS)]
        found[-1].sendall(REQUEST % 0)  # when it is answered, all before it have been accepted
        read_until(found[-1], b"\n\n\r\n")
        idle = resident(pid) - before
        for client in found[:-1]:
            client.sendall(REQUEST % 0)
        for client in found[:-1]:
            read_until(client, b"\n\n\r\n")
        active = resident(pid) - before
    return idle / CONNECTIONS, active / CONNECTIONS


def _more_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = CONNECTIONS + 200
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard)
        )


@contextmanager
def _replay(path: Path) -> Iterator[tuple[float, int, int]]:
    """Run `tokentape replay`; yields the seconds until it listened, its process id and its port."""
    _more_files()
    began = time.monotonic()
    process = subprocess.Popen(
        (sys.executable, "-m", "tokentape.cli", "replay", path, "--listen", "127.0.0.1:0"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.match(rb"listening on .*:(\d+)$", line.rstrip()):
                yield time.monotonic() - began, process.pid, int(found[1])
                break
        else:
            raise RuntimeError(f"the replay of {path} does not listen")
    finally:
        process.kill()
        process.communicate()
