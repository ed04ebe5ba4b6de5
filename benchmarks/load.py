"""A client that plays many streams at once, in a process and on a core of its own: how late were they?

A stamp is taken when the system says that there is something to read, before it is read. Each stream's due
times are counted from the moment before its request was sent: how long the request took, and how long this
client took to wake, are in the lateness.
"""

import gc
import json
import select
import socket
import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.answers import FIRST_NS, LAST, NUMBER, NUMBER_BYTES, request
from benchmarks.cores import on_core_of
from benchmarks.percentiles import percentiles_ms

_TIMEOUT_S = 30
_APART_NS = 1_236_068  # no part of a gap, so that the streams are due at all times of it alike


def lateness_ms(port: int, *, streams: int, gap_ns: int) -> dict[str, Any]:
    """Play streams of a server, begun one after the other.

    Returns `p50`, `p99` and `max` over all pieces, `last`, the median over the streams' last pieces, and
    how many `pieces` there were.
    """
    command = (sys.executable, "-m", "benchmarks.load", *map(str, (port, streams, gap_ns)))
    with on_core_of("client"):
        said = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
    found: dict[str, Any] = json.loads(said)
    return found


def _play(port: int, streams: int, gap_ns: int) -> dict[str, Any]:
    sent, seen = _received(port, streams)
    tails = dict.fromkeys(sent, b"")
    lateness: list[int] = []
    last: dict[int, int] = {}
    for stamp_ns, fd, data in seen:
        for number in NUMBER.findall(tails[fd] + data):
            last[fd] = stamp_ns - sent[fd] - FIRST_NS - int(number) * gap_ns
            lateness.append(last[fd])
        tails[fd] = data[1 - NUMBER_BYTES :]  # a number that two reads share
    return {
        "pieces": len(lateness),
        **percentiles_ms(lateness),
        "last": statistics.median(last.values()) / 1e6,
    }


def _received(port: int, streams: int) -> tuple[dict[int, int], list[tuple[int, int, bytes]]]:
    """Return when each stream's request was sent, and (stamp, stream, bytes) of each read."""
    clients: dict[int, socket.socket] = {}
    poll = select.epoll()
    for _ in range(streams):
        client = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        poll.register(client, select.EPOLLIN)
        clients[client.fileno()] = client
    gc.disable()
    sent: dict[int, int] = {}
    seen: list[tuple[int, int, bytes]] = []
    asked = request()
    begun = time.monotonic_ns()
    waiting = [*clients.items()]
    while clients:
        left_ns = begun + len(sent) * _APART_NS - time.monotonic_ns()
        if waiting and left_ns <= 0:
            fd, client = waiting.pop()
            sent[fd] = time.monotonic_ns()
            client.sendall(asked)
            continue
        events = poll.poll(left_ns / 1e9 if waiting else _TIMEOUT_S)
        if not events and not waiting:
            raise TimeoutError(f"{len(clients)} streams sent nothing for {_TIMEOUT_S} s")
        for fd, _ in events:
            stamp_ns = time.monotonic_ns()
            data = clients[fd].recv(65536)
            seen.append((stamp_ns, fd, data))
            if not data or data.endswith(LAST) or data == LAST[2:]:
                poll.unregister(fd)
                clients.pop(fd).close()
    return sent, seen


if __name__ == "__main__":
    print(json.dumps(_play(*map(int, sys.argv[1:]))))
