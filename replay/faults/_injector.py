"""The faults that are in force: chosen for each request, injected into its answer, and counted.

Processes that count together have two banks of counters, which faults that follow each other use in turn:
while one process has the new faults and another still the old ones, each counts its own.

Invariant: what has hit stays counted for as long as the replay runs, also when it is not in force any more.
"""

import logging
from collections import Counter
from collections.abc import Iterable

from tokentape.replay._wire import Answer
from tokentape.replay.faults._choosing import Asked, Choosing, FaultHits, in_scope
from tokentape.replay.faults._fault import Fault, Faulty
from tokentape.replay.faults._injecting import Injected, inject
from tokentape.replay.faults._spelling import MAX_FAULTS, faults_of
from tokentape.replay.matching._counters import Counters
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.matching._secrets import printable

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
_MAX_SHOWN = 60
_MAX_SAID = 10


class Injector:
    """Injects faults into the answers of one replay, one at a time."""

    def __init__(self, faults: Iterable[Faulty] = ()) -> None:
        self._choosing = Choosing(faults_of(faults))
        self._earlier: Counter[str] = Counter()
        self._said: set[str] = set()
        self._banks: tuple[Counters, Counters] | None = None  # the first is in use

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The faults in force, in the order in which they are applied."""
        return self._choosing.faults

    @property
    def hits(self) -> tuple[FaultHits, ...]:
        """How often each has hit: those in force, then those that were and did; from any thread."""
        now = self._choosing.hits
        earlier = self._earlier.copy()
        found = [FaultHits(fault=each.fault, times=each.times + earlier.pop(each.fault, 0)) for each in now]
        return (*found, *(FaultHits(fault=fault, times=times) for fault, times in earlier.items()))

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from now on; their counting begins anew.

        Raises `WrongFault`, and changes nothing, if one makes no sense.
        """
        given = faults_of(faults)
        self._earlier.update({each.fault: each.times for each in self._choosing.hits if each.times})
        if self._banks is not None:
            self._banks = self._banks[::-1]
        self._choosing = Choosing(given, self._banks and self._banks[0])

    def start_again(self) -> None:
        """Begin to count from 0 again what the faults in force count."""
        self._choosing.start_again()

    def forget(self) -> None:
        """Forget what has hit and is not in force any more."""
        self._earlier.clear()

    def share_counts(self) -> None:
        """Count together with processes that are forked from now on.

        Each of them is then to have the same faults, one set after the other. Before the first of them has
        new ones, one process is to `make_room`.
        """
        banks = [Counters(rows=MAX_FAULTS, exchanges=MAX_FAULTS) for _ in range(2)]
        self._banks = banks[0], banks[1]
        for bank in self._banks:
            bank.share()
        self._choosing = Choosing(self.faults, self._banks[0])

    def make_room(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, which come next, begin to count from 0. Raises `WrongFault` as `set_faults`."""
        faults_of(faults)
        if self._banks is not None:
            self._banks[1].clear()

    def inject(self, answer: Answer, key: RequestKey, *, at_once: bool) -> Injected | None:
        """Return the answer to a request with the faults that hit it, and count these; None if none does.

        `at_once`: the answer was prepared to be sent without waiting.
        """
        choosing = self._choosing
        if not choosing.faults:
            return None
        asked = Asked(key)
        due = choosing.due(asked)
        effects = [(position, choosing.faults[position].effect) for position in due]
        found = inject(answer, effects, asked, at_once=at_once)
        for position in due:
            if position not in found.hit:
                choosing.missed(position)
        self._say_unreadable(found)
        return found if found.hit else None

    def _say_unreadable(self, found: Injected) -> None:
        """Say why a fault that is about events does not hit, once for each encoding."""
        encoding = found.unreadable[:_MAX_SHOWN]
        if encoding and encoding not in self._said and len(self._said) < _MAX_SAID:
            self._said.add(encoding)
            _log.warning(
                "a fault at an event never hits a body whose content-encoding (%s) cannot be decoded: "
                "expected a place @byte, @piece or @time",
                printable(encoding),
            )


def inject_all(answer: Answer, key: RequestKey, faults: Iterable[Fault], *, at_once: bool) -> Injected | None:
    """Return the answer as if every fault hit it that may hit its request; None if none changes it."""
    asked = Asked(key)
    effects = [(at, fault.effect) for at, fault in enumerate(faults) if in_scope(fault.scope, asked)]
    found = inject(answer, effects, asked, at_once=at_once)
    return found if found.hit else None
