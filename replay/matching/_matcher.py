"""Which recorded exchange answers a request, and if none does, why not.

Requests are the same if what `Matching` names of them is (see `Compared`). Where the recording has
a placeholder for a secret, any text is the same (see `Wildcard`). Exchanges of the same request are
served in the order in which they were recorded; `Matching.exhausted` says what follows the last.

The exchanges of one request are a row. In recorded order there is one row of all exchanges, and a request
has to be the next in it. One that is not takes nothing away: the row waits for the one that is due.

Invariant: what was asked n times was served n // k or n // k + 1 times from each of its k exchanges, if
they cycle; each once at most, if their end is an error.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, TypeAlias, TypeVar

from tokentape.cassette import counted
from tokentape.replay.matching._compared import Compared, compared
from tokentape.replay.matching._counters import Counters
from tokentape.replay.matching._location import parse_location
from tokentape.replay.matching._matching import Matching
from tokentape.replay.matching._nearest import HasKey, Nearest
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.matching._seen import Seen
from tokentape.replay.matching._wildcard import Place, Wildcard, has_placeholder, wild_places

_MAX_SEEN_BYTES = 1 << 23
_OBJECT_BYTES = 200  # what a request or a field takes beside what was sent

_ALL = b""  # stands for the digest of the one row of all exchanges
_EXHAUSTED = "exhausted is error; cycle or last would answer again"

Code: TypeAlias = Literal["not_recorded", "exhausted", "out_of_order", "host_not_recorded", "not_asked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """Why a request is not answered from the recording: a code for programs, and lines for people."""

    code: Code
    lines: tuple[str, ...]
    status: int = 404


class Counts(NamedTuple):
    """How often exchanges were served, by source and request, and rows were asked, by request (b"": all)."""

    served: dict[tuple[str, bytes], int]
    asked: dict[bytes, int]


R = TypeVar("R", bound=HasKey)


class Matcher(Generic[R]):
    """Hands out what was recorded, given in order of recording, for requests that match."""

    def __init__(self, recorded: Sequence[R], matching: Matching | None = None) -> None:
        self.recorded = list(recorded)
        self.matching = matching or Matching()
        self._ignored = [parse_location(text) for text in self.matching.ignore]
        self._digests: list[bytes] = []  # of each exchange
        self._rows: dict[bytes, list[int]] = {}  # by digest
        self._wildcards: dict[frozenset[Place], Wildcard] = {}
        self._seen: Seen[object, bytes] = Seen(_MAX_SEEN_BYTES)  # the digest for a request, b"" for none
        self._nearest = Nearest(self.recorded, self._compared, with_body="body" in self.matching.match)
        self._matters = {b"content-type", *(name.encode() for name in self.matching.headers)}
        for index, item in enumerate(self.recorded):
            self._index(index, item)
        self._in_order = self.matching.order == "recorded"
        self._row_numbers = {digest: number for number, digest in enumerate(self._asked_for())}
        self.counters = Counters(rows=len(self._row_numbers), exchanges=len(recorded))
        self._last: int | None = None  # the number of the row that was asked for last

    def take(self, key: RequestKey) -> R | None:
        """Return what answers the request and count it as served; None if nothing does."""
        if not self.recorded:
            return None
        digest = _ALL if self._in_order else self._known(key)
        if digest is None:
            return None
        number = self._row_numbers[digest]
        with self.counters.alone:
            index = self._next(digest)
            if index is None or (self._in_order and not self._is(index, key)):
                return None
            self.counters.asked[number] += 1
            self.counters.served[index] += 1
            self._last = number
        return self.recorded[index]

    def row(self, key: RequestKey) -> Sequence[int]:
        """Return which exchanges are recorded for the request, in order, whatever of them was served."""
        digest = self._known(key)
        return () if digest is None else self._rows[digest]

    def is_same(self, key: RequestKey, other: RequestKey) -> bool:
        """Whether two live requests are the same."""
        return self._compared(key).digest() == self._compared(other).digest()

    def add(self, item: R) -> None:
        """Take in what was recorded, after all else, for a request that was asked now: its turn is over.

        The counts must not be shared.
        """
        index = len(self.recorded)
        self._index(index, item)
        self._seen = Seen(_MAX_SEEN_BYTES)  # what was the same as nothing may be the same as this
        if not self._in_order and self._digests[index] not in self._row_numbers:
            self._row_numbers[self._digests[index]] = len(self._row_numbers)
        self.counters.grow(rows=len(self._row_numbers), exchanges=index + 1)
        self.counters.asked[self._row_numbers[_ALL if self._in_order else self._digests[index]]] += 1
        self.recorded.append(item)

    def code(self, key: RequestKey) -> Code:
        """Return why `take` had nothing in a word, without looking for what is nearest."""
        known = self._known(key) is not None
        if self._in_order and self.recorded:
            due = self._next(_ALL)
            return "exhausted" if due is None else "out_of_order" if known else "not_recorded"
        return "exhausted" if known else "not_recorded"

    def give_back(self) -> None:
        """Let the next who asks what the last `take` was for get the same; it stays counted as served."""
        if self._last is not None:
            with self.counters.alone:
                self.counters.asked[self._last] -= 1

    def why_not(self, key: RequestKey) -> Miss:
        """Return why `take` had nothing: what is nearest or due, then at most ten lines of differences."""
        if not self.recorded:
            return Miss(code="not_recorded", lines=(f"{key} is not in the recording: nothing is recorded",))
        digest = self._known(key)
        if self._in_order:
            return self._out_of_order(key, digest)
        if digest is not None:
            served = len(self._rows[digest])
            times = "once" if served == 1 else f"{served} times"
            said = f"{key} was recorded {times} and has been asked for more often"
            return Miss(code="exhausted", lines=(said, _EXHAUSTED))
        with_this_body = " with this body" if "body" in self.matching.match else ""
        return Miss(
            code="not_recorded",
            lines=(f"{key}{with_this_body} is not in the recording", *self._nearest.lines(key)),
        )

    def counts(self) -> "Counts":
        """Return how often was asked and served, for the matcher that comes after this one."""
        served = zip(self.recorded, self._digests, self.counters.served, strict=True)
        return Counts(
            served={(item.source, digest): times for item, digest, times in served},
            asked=dict(zip(self._row_numbers, self.counters.asked, strict=True)),
        )

    def go_on_from(self, earlier: "Counts") -> None:
        """Take over how often was asked and served, as far as what is recorded is the same."""
        for index, (item, digest) in enumerate(zip(self.recorded, self._digests, strict=True)):
            self.counters.served[index] = earlier.served.get((item.source, digest), 0)
        for digest, number in self._row_numbers.items():
            self.counters.asked[number] = earlier.asked.get(digest, 0)

    def _asked_for(self) -> Iterable[bytes]:
        return [_ALL] if self._in_order else self._rows

    def start_again(self) -> None:
        """Forget how often was asked and served: every row is at its first answer."""
        self.counters.clear()

    def _index(self, index: int, item: R) -> None:
        found = self._compared(item.key)
        digest = found.digest()
        self._digests.append(digest)
        self._rows.setdefault(digest, []).append(index)
        if _may_be_wild(item.key):
            value = found.as_value()
            with suppress(RecursionError):  # what is nested too deeply is matched as it is
                if places := wild_places(value):
                    self._wildcards.setdefault(places, Wildcard(places)).add(value, index)

    def _compared(self, key: RequestKey) -> Compared:
        return compared(key, self.matching, self._ignored)

    def _known(self, key: RequestKey) -> bytes | None:
        """Return the digest of the recorded requests that are the same as a live one, if there are any."""
        headers = [field for field in key.headers if field[0].lower() in self._matters]
        host = key.host if "host" in self.matching.match else ""
        seen = (key.method, host, key.path, key.body, *headers)
        found = self._seen.get(seen)
        if found is None:
            found = self._find(key) or b""
            size = len(key.path) + len(key.body) + sum(_OBJECT_BYTES + len(value) for _, value in headers)
            self._seen.keep(seen, found, _OBJECT_BYTES + size)
        return found or None

    def _find(self, key: RequestKey) -> bytes | None:
        found = self._compared(key)
        digest = found.digest()
        if digest in self._rows:
            return digest
        if self._wildcards:
            value = found.as_value()
            with suppress(RecursionError):
                for wildcard in self._wildcards.values():
                    if (index := wildcard.match(value)) is not None:
                        return self._digests[index]
        return None

    def _is(self, index: int, key: RequestKey) -> bool:
        """Whether a live request is the same as one recorded one."""
        live = self._compared(key)
        if live.digest() == self._digests[index]:
            return True
        recorded = self._compared(self.recorded[index].key).as_value()
        with suppress(RecursionError):
            wildcard = Wildcard(wild_places(recorded))
            wildcard.add(recorded, index)
            return wildcard.match(live.as_value()) is not None
        return False

    def _next(self, digest: bytes) -> int | None:
        """Return which exchange of a row is due; None if none is."""
        row = range(len(self.recorded)) if digest == _ALL else self._rows[digest]
        asked = self.counters.asked[self._row_numbers[digest]]
        if asked < len(row):
            return row[asked]
        match self.matching.exhausted:
            case "cycle":
                return row[asked % len(row)]
            case "last":
                return row[-1]
            case "error":
                return None

    def _out_of_order(self, key: RequestKey, digest: bytes | None) -> Miss:
        index = self._next(_ALL)
        if index is None:
            said = f"{key} came after the last of {counted(len(self.recorded), 'recorded exchange')}"
            return Miss(code="exhausted", lines=(said, _EXHAUSTED))
        due = self.recorded[index]
        known = "is recorded, but" if digest is not None else "is not in the recording, and"
        said = f"{key} {known} number {index + 1} of {len(self.recorded)} is due: {due.source}"
        code: Code = "out_of_order" if digest is not None else "not_recorded"
        return Miss(code=code, lines=(said, f"due: {due.key}", *self._nearest.differences(due, key)))


def _may_be_wild(key: RequestKey) -> bool:
    return any(map(has_placeholder, (key.path, key.body, *(value for _, value in key.headers))))
