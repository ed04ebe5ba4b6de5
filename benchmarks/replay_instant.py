"""How many pieces a second an instant replay sends, beside the least that asyncio can do, and aimock.

One connection asks for the same answer again and again. The least is a protocol that counts the bytes of
requests and writes the same prepared answer at once. Short rounds alternate between the servers, since a
machine is not as fast at one time as at another, and a server's rate is that of the best tenth of its rounds:
what else the machine does can only slow it down.

A request costs the replay what parsing, matching and counting cost, some microseconds; a piece costs it
nothing: the shorter the answer, the more the request counts. One row has each request spelled anew, so that
none is known by its bytes.
"""

import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import cycle, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import aimock, servers
from benchmarks.answers import LAST, fixture, request, tape
from benchmarks.cores import on_core_of
from tokentape.replay import load

PIECES = (200, 2_000, 10_000)
STATED_PIECES = 2_000
OF_BARE = 0.8
OF_AIMOCK = 3.0
ROUNDS = 60
ROUND_S = 0.04
SPELLINGS = 1 << 14  # more than a replay remembers
_TIMEOUT_S = 30


def run() -> Iterator[dict[str, Any]]:
    """Yield the rows as they are measured, in less than a minute."""
    with TemporaryDirectory() as folder:
        for pieces in PIECES:
            yield from _rows(Path(folder), pieces)


def _rows(folder: Path, pieces: int) -> Iterator[dict[str, Any]]:
    path = tape(folder / f"{pieces}.tape", pieces)
    answer = folder / "answer"
    answer.write_bytes(b"".join(data for _, data in load(path, speed="instant").recorded[0].answer.parts))
    with ExitStack() as running:
        ports = {
            "replay": running.enter_context(servers.replay(path, "instant")).port,
            "bare": running.enter_context(servers.bare(answer, len(request()))).port,
        }
        skipped = None
        try:
            server = servers.replay_by_aimock(fixture(folder / f"{pieces}.json", pieces))
            ports["aimock"] = running.enter_context(server).port
        except aimock.Missing as missing:
            skipped = str(missing)
        anew = cycle([request(spelling) for spelling in range(SPELLINGS)])
        with on_core_of("client"):
            rounds = [_round(ports, anew) for _ in range(ROUNDS)]
    stated = pieces == STATED_PIECES
    answers = f"pieces/s in answers of {pieces:,}"
    yield _row(f"{answers}: replay / asyncio.Protocol", rounds, "replay", "bare", OF_BARE * stated, pieces)
    if stated:
        what = f"{answers}, each request spelled anew: replay / asyncio.Protocol"
        yield _row(what, rounds, "anew", "bare", 0, pieces)
    what = f"{answers}: replay / aimock"
    if skipped is None:
        yield _row(what, rounds, "replay", "aimock", OF_AIMOCK * stated, pieces)
    else:
        yield {**_row(what, rounds, "replay", "bare", 0, pieces), "measured": None, "skipped": skipped}


def _row(
    what: str, rounds: list[dict[str, float]], one: str, other: str, limit: float, pieces: int
) -> dict[str, Any]:
    rates = {name: pieces * _best_tenth([each[name] for each in rounds]) for name in (one, other)}
    return {
        "benchmark": "replay instant",
        "what": what,
        "measured": rates[one] / rates[other],
        "unit": "x",
        "limit": limit or None,
        "better": "higher",
        "beside": " / ".join(f"{rate / 1e6:.3g}" for rate in rates.values()) + " million pieces/s",
        **{f"{name}_pieces_per_s": rate for name, rate in rates.items()},
    }


def _best_tenth(rates: list[float]) -> float:
    return statistics.quantiles(rates, n=10, method="inclusive")[-1]


def _round(ports: dict[str, int], anew: Iterator[bytes]) -> dict[str, float]:
    """Return the answers a second of each server, and of the replay for requests that are spelled anew."""
    found = {name: _answers_per_s(port, repeat(request())) for name, port in ports.items()}
    return {**found, "anew": _answers_per_s(ports["replay"], anew)}


def _answers_per_s(port: int, requests: Iterator[bytes]) -> float:
    buffer = memoryview(bytearray(1 << 18))
    with socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        answers, begun = 0, time.perf_counter()
        while (took := time.perf_counter() - begun) < ROUND_S or not answers:
            client.sendall(next(requests))
            tail = b""
            while tail != LAST:
                size = client.recv_into(buffer)
                if not size:
                    raise ConnectionError("the server closed the connection in the middle of an answer")
                tail = (tail + bytes(buffer[max(0, size - len(LAST)) : size]))[-len(LAST) :]
            answers += 1
        return answers / took
