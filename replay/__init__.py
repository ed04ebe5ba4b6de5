"""Replay: a cassette served again over HTTP, the same bytes in the same pieces at the same times.

::

    from tokentape.replay import serve

    with serve("session.tape", speed=2) as replay:
        print(replay.base_url)

`serve` runs a server in a thread of its own; `Server` is the same for an event loop of yours.
"""

from tokentape.replay._errors import CannotListen, NothingToServe, ReplayError
from tokentape.replay._explain import Explained, ExplainedPart, Explanation, explain
from tokentape.replay._lateness import LatenessSummary
from tokentape.replay._load import Recorded, Repertoire, load
from tokentape.replay._matching import Exhausted, Matching, Order
from tokentape.replay._quantities import Lognormal, Speed, parse_span, parse_speed
from tokentape.replay._reload import reload_on_change, state_of
from tokentape.replay._serve import Replay, serve
from tokentape.replay._server import Server
from tokentape.replay._stats import Missed, Served, Stats
from tokentape.replay._timing import Timing, WrongTiming

__all__ = [
    "CannotListen",
    "Exhausted",
    "Explained",
    "ExplainedPart",
    "Explanation",
    "LatenessSummary",
    "Lognormal",
    "Matching",
    "Missed",
    "NothingToServe",
    "Order",
    "Recorded",
    "Repertoire",
    "Replay",
    "ReplayError",
    "Served",
    "Server",
    "Speed",
    "Stats",
    "Timing",
    "WrongTiming",
    "explain",
    "load",
    "parse_span",
    "parse_speed",
    "reload_on_change",
    "serve",
    "state_of",
]
