"""Which faults hit which request, and how often each has: the one state that faults have.

A fault counts the requests in its scope as they come, for `nth` and for chance: whether the third of them
is hit by `p=0.1,seed=7` depends on nothing but the fault itself and the number three. Invariant: no fault
hits more often than its `times`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from random import Random
from typing import Any

import msgspec

from tokentape.replay._request_key import RequestKey
from tokentape.replay.faults._fault import Fault, Scope


class Asked:
    """A request as faults look at it. The body is read when the model is first asked for."""

    def __init__(self, key: RequestKey) -> None:
        self.method = key.method
        self.path = key.path.partition(b"?")[0].decode("utf-8", "replace")
        self._body = key.body

    @cached_property
    def model(self) -> str:
        """The model that the body names, "" if it names none."""
        try:
            body: Any = msgspec.json.decode(self._body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return ""
        model = body.get("model") if isinstance(body, dict) else None
        return model if isinstance(model, str) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultHits:
    """How often a fault, as it is spelled, has hit an answer."""

    fault: str
    times: int


class Choosing:
    """Chooses among faults for one request after the other."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        self._asked = [0] * len(self.faults)
        self._hits = [0] * len(self.faults)

    @property
    def hits(self) -> tuple[FaultHits, ...]:
        """How often each fault has hit, in their order; from any thread."""
        counted = zip(self.faults, [*self._hits], strict=True)
        return tuple(FaultHits(fault=str(fault), times=times) for fault, times in counted)

    def due(self, asked: Asked) -> Iterator[int]:
        """Count a request, and yield the positions of the faults that are to hit it, in their order."""
        for position, fault in enumerate(self.faults):
            if not _in_scope(fault.scope, asked):
                continue
            self._asked[position] += 1
            if self._hits[position] != fault.scope.times and _chosen(fault, self._asked[position]):
                yield position

    def hit(self, position: int) -> None:
        """Count a hit of the fault at a position."""
        self._hits[position] += 1


def _in_scope(scope: Scope, asked: Asked) -> bool:
    if scope.path is not None and not fnmatchcase(asked.path, scope.path):
        return False
    return scope.model is None or fnmatchcase(asked.model, scope.model)


def _chosen(fault: Fault, number: int) -> bool:
    """Whether chance and `nth` choose the request of this number in the scope."""
    scope = fault.scope
    if scope.nth is not None and number != scope.nth:
        return False
    if scope.probability == 1:
        return True
    # The effect is in the seed so that two kinds with one probability do not always hit together.
    random = Random(f"{scope.seed}/{fault.effect}/{number}")  # noqa: S311  (it is to be foreseeable)
    return random.getrandbits(53) < scope.probability * (1 << 53)
