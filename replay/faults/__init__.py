"""Faults on recorded answers: what goes wrong with live ones, where and as often as one says.

::

    with serve("session.tape", faults=["status=429,retry-after=2,times=1", "stall=10s@event=4"]) as replay:
        ...

A fault changes what goes out, never the cassette. `docs/faults.md` has all of them.
"""

from tokentape.replay.faults._choosing import FaultHits
from tokentape.replay.faults._effects import (
    DropDone,
    Dup,
    Effect,
    ErrorEvent,
    Garble,
    KeepaliveStall,
    Merge,
    Place,
    Reset,
    SlowStart,
    Split,
    Stall,
    Status,
    Truncate,
)
from tokentape.replay.faults._fault import Fault, Faulty, Scope
from tokentape.replay.faults._injector import Injector, inject_all
from tokentape.replay.faults._spelling import KINDS, WrongFault, faults_of, parse_fault
from tokentape.replay.faults._unframed import Unframed, unframed

__all__ = [
    "KINDS",
    "DropDone",
    "Dup",
    "Effect",
    "ErrorEvent",
    "Fault",
    "FaultHits",
    "Faulty",
    "Garble",
    "Injector",
    "KeepaliveStall",
    "Merge",
    "Place",
    "Reset",
    "Scope",
    "SlowStart",
    "Split",
    "Stall",
    "Status",
    "Truncate",
    "Unframed",
    "WrongFault",
    "faults_of",
    "inject_all",
    "parse_fault",
    "unframed",
]
