"""The last requests that came, and what became of each: what a test asks when it wants to know what was sent.

Invariant: the memory that it takes is bounded, and what it shows has no secrets (see `_secrets`). Requests
are numbered from 1 in their order, so that a reader sees where some are no longer there.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, NamedTuple, TypeAlias

from tokentape.replay.faults import Fault
from tokentape.replay.matching._counters import Counters
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.matching._secrets import printable, shown_target

_KEPT = 1_000
_MAX_PATH_BYTES = 4_096  # more than is ever shown

Outcome: TypeAlias = Literal["served", "missed", "models", "live"]
"""Answered from the recording, not recorded, answered with the list of models made of the recording, or asked
of the API itself (see `OnMiss`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRequest:
    """A request and its answer. `unix_ns` is the wall-clock time at which it was complete.

    `status` is None where the recorded exchange failed before it had one, and while what was asked live has
    no answer yet; it stays so if the client gave that up.
    `source` names the exchange that answered, `explanation` says why none did, `faults` are those that hit
    the answer, as they are spelled.
    """

    number: int
    unix_ns: int
    method: str
    path: str
    outcome: Outcome
    status: int | None
    source: str | None = None
    explanation: str | None = None
    faults: tuple[str, ...] = ()


class Entry(NamedTuple):
    """A request as it is kept."""

    number: int
    unix_ns: int
    method: str
    path: bytes
    outcome: Outcome
    status: int | None
    source: str | None
    explanation: str | None
    faults: tuple[Fault, ...]

    def shown(self) -> SeenRequest:
        """Return what is shown of it."""
        return SeenRequest(
            number=self.number,
            unix_ns=self.unix_ns,
            method=printable(self.method),
            path=shown_target(self.path),
            outcome=self.outcome,
            status=self.status,
            source=self.source,
            explanation=self.explanation,
            faults=tuple(map(str, self.faults)),
        )


class Journal:
    """Keeps the last thousand requests. Reading it from another thread is safe."""

    def __init__(self, *, kept: int = _KEPT, wall_clock: Callable[[], int] = time.time_ns) -> None:
        self._wall_clock = wall_clock
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._numbers = Counters(rows=1, exchanges=1)  # `asked` has the number of the last request

    @property
    def last_number(self) -> int:
        """The number of the last request, 0 before the first."""
        return self._numbers.asked[0]

    def add(
        self,
        key: RequestKey,
        *,
        outcome: Outcome,
        status: int | None,
        source: str | None = None,
        explanation: str | None = None,
        faults: Iterable[Fault] = (),
    ) -> Entry:
        """Take in a request. What is to be shown of it is worked out when somebody looks."""
        with self._numbers.alone:
            self._numbers.asked[0] += 1
            number, unix_ns = self._numbers.asked[0], self._wall_clock()
        entry = Entry(
            number=number,
            unix_ns=unix_ns,
            method=key.method,
            path=key.path[:_MAX_PATH_BYTES],
            outcome=outcome,
            status=status,
            source=source,
            explanation=explanation,
            faults=tuple(faults),
        )
        self._entries.append(entry)
        return entry

    def answered(self, entry: Entry, status: int) -> None:
        """Give the status of an entry that had none when it was added; if it was forgotten, do nothing.

        It is looked for by identity: after `start_again` another request may have its number.
        """
        for place in range(len(self._entries) - 1, -1, -1):  # it is one of the last
            if self._entries[place] is entry:
                self._entries[place] = entry._replace(status=status)
                return

    def all(self) -> tuple[SeenRequest, ...]:
        """Return what is kept, in the order in which it came."""
        return tuple(entry.shown() for entry in self._entries.copy())

    def last(self, limit: int) -> tuple[SeenRequest, ...]:
        """Return the last so many, in the order in which they came."""
        entries = self._entries.copy()
        return tuple(entry.shown() for entry in islice(entries, max(len(entries) - limit, 0), None))

    def after(self, number: int, limit: int) -> tuple[SeenRequest, ...]:
        """Return the first so many of those that came after a number and are kept."""
        later = (entry for entry in self._entries.copy() if entry.number > number)
        return tuple(entry.shown() for entry in islice(later, limit))

    def entries(self, after: int, limit: int, up_to: int) -> list[Entry]:
        """Return the first so many entries after a number, or the last if it is negative, up to a number."""
        before = max(after, up_to - _KEPT)  # what others have let go of is not kept longer here
        known = [entry for entry in self._entries.copy() if before < entry.number <= up_to]
        return _first_or_last(known, after, limit)

    def share_counts(self) -> None:
        """Count requests together with processes that are forked from now on."""
        self._numbers.share()

    def clear(self) -> None:
        """Forget all."""
        self._entries.clear()

    def start_again(self) -> None:
        """Begin at number 1 again."""
        self._numbers.clear()


def merged(journals: Iterable[Iterable[Entry]], after: int, limit: int) -> list[SeenRequest]:
    """Return what is shown of the `entries` of journals that number together, for the same arguments."""
    found = sorted(chain.from_iterable(journals), key=lambda entry: entry.number)
    return [entry.shown() for entry in _first_or_last(found, after, limit)]


def _first_or_last(entries: list[Entry], after: int, limit: int) -> list[Entry]:
    """Return the last so many entries if `after` is negative, else the first."""
    return entries[max(len(entries) - limit, 0) :] if after < 0 else entries[:limit]
