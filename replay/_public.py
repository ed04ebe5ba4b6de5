"""The public names of `tokentape.replay`, which hands them on."""

from tokentape.replay._errors import CannotListen, NothingToServe, ReplayError
from tokentape.replay._httpx_transport import httpx2_transport, httpx_transport
from tokentape.replay._lateness import LatenessSummary
from tokentape.replay._load import Recorded, Repertoire, load
from tokentape.replay._schedule import Speed, parse_speed
from tokentape.replay._serve import Replay, serve
from tokentape.replay._server import Server
from tokentape.replay._stats import Missed, Served, Stats

__all__ = [
    "CannotListen",
    "LatenessSummary",
    "Missed",
    "NothingToServe",
    "Recorded",
    "Repertoire",
    "Replay",
    "ReplayError",
    "Served",
    "Server",
    "Speed",
    "Stats",
    "httpx2_transport",
    "httpx_transport",
    "load",
    "parse_speed",
    "serve",
]
