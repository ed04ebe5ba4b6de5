"""What a server counts, in Prometheus' text format 0.0.4.

Units and endings of names are those of its conventions: seconds, `_total` for what only grows. Invariant: the
sets of names and labels are fixed, so that no request can make a new time series.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from tokentape.replay._tally import Tally
from tokentape.replay.control._steered import Health
from tokentape.replay.faults import KINDS, FaultHits
from tokentape.replay.timing._lateness import Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_BOUNDS_S = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
_BOUNDS_NS = tuple(round(bound * 1e9) for bound in _BOUNDS_S)


def metrics(tally: Tally, now: Health) -> str:
    """Return the metrics of a server that has counted this, and is so now."""
    stats, lateness = tally.answered, tally.lateness.histogram(_BOUNDS_NS)
    live = stats.live
    outcomes = {
        "served": stats.hits,
        "missed": stats.misses,
        "models": stats.models_listed,
        "live": live.forwarded if live else 0,
    }
    failed = live.failed if live else 0
    lines = [
        *_by("tokentape_requests_total", "Requests, by what became of them.", "outcome", outcomes),
        *_one("tokentape_live_failed_total", "counter", "Requests asked live and not answered.", failed),
        *_by("tokentape_fault_hits_total", "Answers that a fault has hit.", "kind", _hits(stats.faults)),
        *_one("tokentape_pieces_sent_total", "counter", "Timed writes of answers.", lateness.pieces),
        *_one(
            "tokentape_pieces_held_total", "counter", "Writes that waited for a client.", tally.lateness.held
        ),
        *_histogram(
            "tokentape_lateness_seconds",
            "From when a piece was due to when the system had its bytes.",
            lateness,
        ),
        *_one("tokentape_cut_off_total", "counter", "Answers that the stop ended early.", tally.cut_off),
        *_one("tokentape_unread_total", "counter", "Answers whose client did not read on.", tally.unread),
        *_one("tokentape_incomplete_total", "counter", "Requests whose rest never came.", tally.incomplete),
        *_one("tokentape_open_connections", "gauge", "Open connections.", now.connections),
        *_one("tokentape_running_streams", "gauge", "Connections with an answer on its way.", now.running),
        *_one("tokentape_exchanges", "gauge", "Recorded exchanges.", len(stats.served)),
        *_one("tokentape_paused", "gauge", "1 while all answers stand still.", int(now.paused)),
        *_one("tokentape_speed", "gauge", "How many times faster than recorded.", _speed(now)),
        *_one("tokentape_workers", "gauge", "Processes that serve.", now.workers),
        *_one("tokentape_lost_workers_total", "counter", "Processes that ended early.", stats.lost_workers),
    ]
    return "\n".join([*lines, ""])


def _speed(now: Health) -> float:
    return math.inf if now.speed == "instant" else now.speed


def _hits(faults: Iterable[FaultHits]) -> Mapping[str, int]:
    """Return how often faults of each kind have hit."""
    found = Counter(dict.fromkeys(KINDS, 0))
    for each in faults:
        found[re.split("[=@,]", each.fault, maxsplit=1)[0]] += each.times
    return found


def _by(name: str, words: str, label: str, counts: Mapping[str, int]) -> Iterable[str]:
    yield from _described(name, "counter", words)
    yield from (f'{name}{{{label}="{value}"}} {count}' for value, count in counts.items())


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
