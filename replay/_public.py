"""The public names of `tokentape.replay`, which hands them on."""

from tokentape.replay._errors import (
    CannotListen,
    ControlError,
    NothingToServe,
    ReplayError,
    UnusableCertificate,
)
from tokentape.replay._explain import Explained, ExplainedPart, Explanation, explain
from tokentape.replay._httpx_transport import httpx2_transport, httpx_transport
from tokentape.replay._journal import SeenRequest
from tokentape.replay._load import Recorded, Repertoire, load
from tokentape.replay._reload import reload_on_change, state_of
from tokentape.replay._serve import Replay, serve
from tokentape.replay._stats import Live, Missed, Served, Stats
from tokentape.replay._workers import Workers
from tokentape.replay.control._client import Control
from tokentape.replay.control._steered import Health
from tokentape.replay.faults import Fault, FaultHits, Scope, WrongFault, parse_fault
from tokentape.replay.live._on_miss import How, OnMiss
from tokentape.replay.live._recorder_process import CannotRecord
from tokentape.replay.matching._matching import Exhausted, Matching, Order
from tokentape.replay.serving._certificates import CertificateAuthority, tls_context
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._server import Server
from tokentape.replay.timing._lateness import LatenessSummary
from tokentape.replay.timing._quantities import Lognormal, Speed, parse_span, parse_speed
from tokentape.replay.timing._timing import Timing, WrongTiming

__all__ = [
    "CannotListen",
    "CannotRecord",
    "CertificateAuthority",
    "Control",
    "ControlError",
    "Exhausted",
    "Explained",
    "ExplainedPart",
    "Explanation",
    "Fault",
    "FaultHits",
    "Health",
    "How",
    "LatenessSummary",
    "Limits",
    "Live",
    "Lognormal",
    "Matching",
    "Missed",
    "NothingToServe",
    "OnMiss",
    "Order",
    "Recorded",
    "Repertoire",
    "Replay",
    "ReplayError",
    "Scope",
    "SeenRequest",
    "Served",
    "Server",
    "Speed",
    "Stats",
    "Timing",
    "UnusableCertificate",
    "Workers",
    "WrongFault",
    "WrongTiming",
    "explain",
    "httpx2_transport",
    "httpx_transport",
    "load",
    "parse_fault",
    "parse_span",
    "parse_speed",
    "reload_on_change",
    "serve",
    "state_of",
    "tls_context",
]
