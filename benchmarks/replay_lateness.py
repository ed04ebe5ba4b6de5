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
P50_MS = 0.2
P99_MS = 5.0
DRIFT_MS = 2.0


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
        with servers.replay(recording) as served:
            client = lateness_ms(served.port, streams=streams, gap_ns=GAP_NS)
        ours = served.lateness_ms
        beside = f"{_percentiles(ours)}; client: {_percentiles(client)}"
        numbers = {"server_ms": ours, "client_ms": client}
        yield _row(f"{load}: p50 in the server", ours["p50"], P50_MS, beside, **numbers)
        yield _row(f"{load}: p99 in the server", ours["p99"], P99_MS, **numbers)
        with servers.sleeping(pieces, GAP_NS) as served:
            client = lateness_ms(served.port, streams=streams, gap_ns=GAP_NS)
        beside = f"{_percentiles(served.lateness_ms)}; client: {_percentiles(client)}"
        numbers = {"server_ms": served.lateness_ms, "client_ms": client}
        yield _row(f"{load}: p50 in aiohttp that sleeps", served.lateness_ms["p50"], None, beside, **numbers)
        if streams == STREAMS[1]:
            ratio = served.lateness_ms["p50"] / max(ours["p50"], 0.001)  # it is rounded down to 1 us
            yield {
                **_row(f"{load}: p50 in the server, aiohttp that sleeps / replay", ratio, 5.0),
                "unit": "x",
                "better": "higher",
            }
        yield _by_aimock(f"{load}: p50 at the client of aimock", "p50", other, streams, GAP_NS)


def _speeds(folder: Path) -> Iterator[dict[str, Any]]:
    for speed in SPEEDS:
        gap_ns = int(GAP_NS / speed)
        pieces = PLAYED_NS // gap_ns
        path = tape(folder / f"{speed:g}.tape", pieces, GAP_NS, first_ns=int(FIRST_NS * speed))
        with servers.replay(path, f"{speed:g}") as served:
            client = lateness_ms(served.port, streams=SPEED_STREAMS, gap_ns=gap_ns)
        load = f"{SPEED_STREAMS} streams x {speed * 1_000_000_000 / GAP_NS:g} pieces/s, {speed:g}x"
        yield _row(
            f"{load}: p50 in the server",
            served.lateness_ms["p50"],
            None,
            f"{_percentiles(served.lateness_ms)}; client: {_percentiles(client)}",
            server_ms=served.lateness_ms,
            client_ms=client,
        )


def _drift(folder: Path) -> Iterator[dict[str, Any]]:
    pieces = LONG_GAPS + 1
    load = f"{LONG_STREAMS} streams of {LONG_GAPS:,} gaps of {LONG_GAP_NS / 1e6:g} ms"
    what = f"{load}: the last piece at the client, median"
    recording = tape(folder / "long.tape", pieces, LONG_GAP_NS)
    for name, limit, server in (
        ("", DRIFT_MS, servers.replay(recording)),
        (", aiohttp that sleeps", None, servers.sleeping(pieces, LONG_GAP_NS)),
    ):
        client = _played(server, LONG_STREAMS, LONG_GAP_NS)
        yield _row(what + name, client["last"], limit, f"all: {_percentiles(client)}", client_ms=client)
    other = fixture(folder / "long.json", pieces, LONG_GAP_NS)
    yield _by_aimock(f"{what}, aimock", "last", other, LONG_STREAMS, LONG_GAP_NS)


def _by_aimock(what: str, measured: str, path: Path, streams: int, gap_ns: int) -> dict[str, Any]:
    try:
        client = _played(servers.replay_by_aimock(path), streams, gap_ns)
    except aimock.Missing as missing:
        return {**_row(what, 0.0, None), "measured": None, "skipped": str(missing)}
    beside = f"{_percentiles(client)}; last {client['last']:.3g} ms"
    return _row(what, client[measured], None, beside, client_ms=client)


def _played(server: AbstractContextManager[servers.Served], streams: int, gap_ns: int) -> dict[str, Any]:
    with server as served:
        return lateness_ms(served.port, streams=streams, gap_ns=gap_ns)


def _row(
    what: str, measured: float, limit: float | None, beside: str = "", **numbers: object
) -> dict[str, Any]:
    return {
        "benchmark": "replay lateness",
        "what": what,
        "measured": measured,
        "unit": "ms",
        "limit": limit,
        "better": "lower",
        "beside": beside,
        **numbers,
    }


def _percentiles(found: dict[str, float]) -> str:
    return f"p50 {found['p50']:.3g}, p99 {found['p99']:.3g}, max {found['max']:.3g} ms"
