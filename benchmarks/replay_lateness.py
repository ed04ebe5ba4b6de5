"""How close a replay comes to its due times, at several loads and speeds, beside other servers.

All play the same streams on one core; the client, a process of its own, has another. Lateness is measured
in the replay itself, right after the write of a piece, from the moment at which it had the request; and by
the client, from the moment before it sent the request (the client's own waking is in that number).

Beside it stand aiohttp, with one `asyncio.sleep` for each gap until the piece's absolute due time, which is
the fairest form of it and does not drift; and aimock, which sleeps for each gap as its fixture says, and so
is later with each piece.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks import aimock, servers
from benchmarks.answers import FIRST_NS, fixture, tape
from benchmarks.load import lateness_ms

STREAMS = (1, 100, 1_000)
SPEED_STREAMS = 100
SPEEDS = (0.25, 1.0, 4.0, 16.0)
GAP_NS = 20_000_000
PLAYED_NS = 4_000_000_000
LONG_GAPS = 2_000
LONG_GAP_NS = 5_000_000
LONG_STREAMS = 9
RATIO_STREAMS = 100
P50_MS = 0.2
P99_MS = 5.0
DRIFT_MS = 2.0
OF_SLEEPING = 5.0


def run() -> Iterator[dict[str, Any]]:
    """Yield the rows as they are measured, in some two minutes."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        yield from _loads(folder)
        yield from _speeds(folder)
        yield from _drift(folder)


def _loads(folder: Path) -> Iterator[dict[str, Any]]:
    pieces = PLAYED_NS // GAP_NS
    recording, other = tape(folder / "a.tape", pieces, GAP_NS), fixture(folder / "a.json", pieces, GAP_NS)
    for streams in STREAMS:
        load = f"{streams:,} stream{'s' * (streams > 1)} x {1_000_000_000 // GAP_NS} pieces/s"
        ours = _played(servers.replay(recording), streams, GAP_NS)
        yield _row("replay", f"{load}: p50 in the server", ours["server_ms"]["p50"], ours, limit=P50_MS)
        yield _row("replay", f"{load}: p99 in the server", ours["server_ms"]["p99"], limit=P99_MS)
        its = _played(servers.sleeping(pieces, GAP_NS), streams, GAP_NS)
        yield _row("aiohttp", f"{load}: p50 in the server", its["server_ms"]["p50"], its)
        if streams == RATIO_STREAMS:
            ratio = its["server_ms"]["p50"] / max(ours["server_ms"]["p50"], 0.001)  # rounded down to 1 us
            row = _row("replay", f"{load}: p50 in the server, aiohttp / replay", ratio, limit=OF_SLEEPING)
            yield {**row, "unit": "x", "better": "higher"}
        yield _by_aimock(f"{load}: p50 at the client", "p50", other, streams, GAP_NS)


def _speeds(folder: Path) -> Iterator[dict[str, Any]]:
    for speed in SPEEDS:
        gap_ns = int(GAP_NS / speed)
        pieces = PLAYED_NS // gap_ns
        path = tape(folder / f"{speed:g}.tape", pieces, GAP_NS, first_ns=int(FIRST_NS * speed))
        played = _played(servers.replay(path, f"{speed:g}"), SPEED_STREAMS, gap_ns)
        what = f"{speed:g}x, {SPEED_STREAMS} streams x {1_000_000_000 / gap_ns:g} pieces/s: p50 in the server"
        yield _row("replay", what, played["server_ms"]["p50"], played)


def _drift(folder: Path) -> Iterator[dict[str, Any]]:
    pieces = LONG_GAPS + 1
    load = f"{LONG_STREAMS} streams of {LONG_GAPS:,} gaps of {LONG_GAP_NS / 1e6:g} ms"
    what = f"{load}: the last piece at the client, median"
    recording = tape(folder / "long.tape", pieces, LONG_GAP_NS)
    for name, limit, server in (
        ("replay", DRIFT_MS, servers.replay(recording)),
        ("aiohttp", None, servers.sleeping(pieces, LONG_GAP_NS)),
    ):
        played = _played(server, LONG_STREAMS, LONG_GAP_NS)
        yield _row(name, what, played["client_ms"]["last"], played, limit=limit)
    other = fixture(folder / "long.json", pieces, LONG_GAP_NS)
    yield _by_aimock(what, "last", other, LONG_STREAMS, LONG_GAP_NS)


def _by_aimock(what: str, measured: str, path: Path, streams: int, gap_ns: int) -> dict[str, Any]:
    try:
        played = _played(servers.replay_by_aimock(path), streams, gap_ns)
    except aimock.Missing as missing:
        return {**_row("aimock", what, 0.0), "measured": None, "skipped": str(missing)}
    return _row("aimock", what, played["client_ms"][measured], played)


def _played(server: AbstractContextManager[servers.Served], streams: int, gap_ns: int) -> dict[str, Any]:
    with server as served:
        client = lateness_ms(served.port, streams=streams, gap_ns=gap_ns)
    pieces = client.pop("pieces")
    return {
        "server_ms": served.lateness_ms,
        "client_ms": client,
        "pieces": pieces,
        "cpu_us_a_piece": served.cpu_ns / pieces / 1e3,
    }


def _row(
    server: str,
    what: str,
    measured: float,
    played: dict[str, Any] | None = None,
    *,
    limit: float | None = None,
) -> dict[str, Any]:
    return {
        "benchmark": f"{server} lateness",
        "what": what,
        "measured": measured,
        "unit": "ms",
        "limit": limit,
        "better": "lower",
        **({"beside": _beside(played), **played} if played else {}),
    }


def _beside(played: dict[str, Any]) -> str:
    seen = [
        f"{who} " + "/".join(f"{played[f'{who}_ms'][name]:.3g}" for name in ("p50", "p99", "max")) + " ms"
        for who in ("server", "client")
        if played[f"{who}_ms"]
    ]
    return f"{', '.join(seen)} (p50/p99/max), {played['cpu_us_a_piece']:.3g} us CPU a piece"
