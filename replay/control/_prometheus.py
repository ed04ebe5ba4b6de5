"""What a server counts, in Prometheus' text format 0.0.4.

Units and endings of names are those of its conventions: seconds, `_total` for what only grows. Invariant: the
sets of names and labels are fixed, so that no request can make a new time series.
"""

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tokentape.replay.timing._lateness import Histogram

if TYPE_CHECKING:
    from tokentape.replay.serving._server import Server

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_BOUNDS_NS = tuple(round(bound * 1e9) for bound in _BOUNDS_S)


def metrics(server: "Server") -> str:
    """Return the metrics of a server."""
    tally = server.tally()
    stats, lateness = tally.answered, tally.lateness.histogram(_BOUNDS_NS)
    outcomes = {"served": stats.hits, "missed": stats.misses, "models": stats.models_listed}
    speed = math.inf if server.speed == "instant" else server.speed
    lines = [
        *_described("tokentape_requests_total", "counter", "Requests, by what became of them."),
        *(f'tokentape_requests_total{{outcome="{name}"}} {count}' for name, count in outcomes.items()),
        *_one("tokentape_pieces_sent_total", "counter", "Timed writes of answers.", lateness.pieces),
        *_histogram(
            "tokentape_lateness_seconds",
            "From when a piece was due to when the system had its bytes.",
            lateness,
        ),
        *_one("tokentape_cut_off_total", "counter", "Answers that the stop ended early.", tally.cut_off),
        *_one("tokentape_open_connections", "gauge", "Open connections.", server.connections),
        *_one("tokentape_running_streams", "gauge", "Connections with an answer on its way.", server.running),
        *_one("tokentape_exchanges", "gauge", "Recorded exchanges.", len(stats.served)),
        *_one("tokentape_paused", "gauge", "1 while all answers stand still.", int(server.paused)),
        *_one("tokentape_speed", "gauge", "How many times faster than recorded.", speed),
    ]
    return "\n".join([*lines, ""])


def _described(name: str, kind: str, words: str) -> Iterable[str]:
    return (f"# HELP {name} {words}", f"# TYPE {name} {kind}")


def _one(name: str, kind: str, words: str, value: float) -> Iterable[str]:
    return (*_described(name, kind, words), f"{name} {_number(value)}")


def _histogram(name: str, words: str, found: Histogram) -> Iterator[str]:
    yield from _described(name, "histogram", words)
    for bound, count in zip(_BOUNDS_S, found.at_most, strict=True):
        yield f'{name}_bucket{{le="{bound:g}"}} {count}'
    yield f'{name}_bucket{{le="+Inf"}} {found.pieces}'
    yield f"{name}_sum {found.sum_ns / 1e9!r}"
    yield f"{name}_count {found.pieces}"


def _number(value: float) -> str:
    return "+Inf" if value == math.inf else repr(value)
