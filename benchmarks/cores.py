"""Servers on one core and clients on another, where the system lets a process choose."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal, TypeAlias

Part: TypeAlias = Literal["server", "client"]


@contextmanager
def on_core_of(part: Part) -> Iterator[None]:
    """Have what this thread does and starts run on one core. Without effect outside Linux."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {_cores()[part]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@cache
def _cores() -> dict[Part, int]:
    allowed = sorted(os.sched_getaffinity(0))
    return {"server": allowed[0], "client": allowed[-1]}
