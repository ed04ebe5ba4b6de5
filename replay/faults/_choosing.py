"""Which faults hit which request, and how often each has: the one state that faults have.

A fault counts the requests in its scope as they come, for `nth` and for chance: whether the third of them
is hit by `p=0.1,seed=7` depends on nothing but the fault itself and the number three. Invariant: no fault
hits more often than its `times`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from random import Random
from typing import Any

import msgspec

from tokentape.replay.faults._fault import Fault, Scope
from tokentape.replay.matching._counters import Counters
from tokentape.replay.matching._request_key import RequestKey


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
    """Chooses among faults for one request after the other.

    It counts in `counters`, if there are any: those who share them choose together, as one would.
    """

    def __init__(self, faults: Iterable[Fault], counters: Counters | None = None) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        # `asked`: how many requests were in the scope of each; `served`: how many it has hit, or is about to
        self._counters = counters or Counters(rows=count, exchanges=count)

    @property
    def hits(self) -> tuple[FaultHits, ...]:
        """How often each fault has hit, in their order; from any thread."""
        counted = zip(self.faults, self._counters.served[: len(self.faults)], strict=True)
        return tuple(FaultHits(fault=str(fault), times=times) for fault, times in counted)

    def start_again(self) -> None:
        """Count from 0 again."""
        self._counters.clear()

    def due(self, asked: Asked) -> list[int]:
        """Count a request and a hit of each fault that is to hit it; return the positions of these."""
        found: list[int] = []
        for position, fault in enumerate(self.faults):
            if not in_scope(fault.scope, asked):
                continue
            with self._counters.alone:
                self._counters.asked[position] += 1
                over = self._counters.served[position] == fault.scope.times
                if not over and _chosen(fault, self._counters.asked[position]):
                    self._counters.served[position] += 1
                    found.append(position)
        return found

    def missed(self, position: int) -> None:
        """Take back a hit of the fault at a position: the answer had nothing for it to change."""
        with self._counters.alone:
            self._counters.served[position] -= 1


def in_scope(scope: Scope, asked: Asked) -> bool:
    """Whether a request is one of those that a fault counts."""
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
