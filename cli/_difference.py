"""What differs between two recordings, times aside: which requests only one has, which answers differ.

Exchanges are aligned by their requests (method, target, body as JSON), as `diff` aligns lines; what is
left over on both sides is paired in the order in which it was asked, since requests that run side by side
come in any order. The invariant: each exchange of either recording is in one pair, or alone, never both.
"""

import difflib
from collections import Counter, defaultdict, deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import count, takewhile
from typing import Any

from tokentape import cassette
from tokentape.dialects import comparable, path_of, requested_model

_MOST_PAIRS = 2_000_000  # of equal requests, which difflib looks at one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """An exchange of one recording: its place in it, what it is aligned by, what it answered."""

    section: int
    exchange: int
    request: str
    key: bytes
    answer: Sequence[str]

    def as_dict(self) -> dict[str, Any]:
        """Return which exchange it is, as an object for JSON."""
        return {"section": self.section, "exchange": self.exchange, "request": self.request}

    def __str__(self) -> str:
        of_section = f" of section {self.section}" if self.section else ""
        return f"#{self.exchange}{of_section} {self.request}"


@dataclass(frozen=True, slots=True)
class Difference:
    """Pairs hold the exchange of A, that of B, and the lines of a unified diff, none if they are the same."""

    only_in_a: list[Side]
    only_in_b: list[Side]
    pairs: list[tuple[Side, Side, list[str]]]

    @property
    def different(self) -> list[tuple[Side, Side, list[str]]]:
        """The pairs whose answers are not the same."""
        return [pair for pair in self.pairs if pair[2]]

    def __bool__(self) -> bool:
        return bool(self.only_in_a or self.only_in_b or self.different)


def sides(exchanges: Iterable[cassette.Exchange]) -> list[Side]:
    """Return the exchanges of a recording in the order in which they were asked."""
    return sorted(map(_side, exchanges), key=lambda side: (side.section, side.exchange))


def compare(a: Sequence[Side], b: Sequence[Side]) -> Difference:
    """Return what differs between two recordings."""
    pairs = _aligned([side.key for side in a], [side.key for side in b])
    of_a, of_b = {one for one, _ in pairs}, {other for _, other in pairs}
    return Difference(
        [side for index, side in enumerate(a) if index not in of_a],
        [side for index, side in enumerate(b) if index not in of_b],
        [(a[one], b[other], _unified(a[one], b[other])) for one, other in sorted(pairs)],
    )


def _side(exchange: cassette.Exchange) -> Side:
    request = exchange.request
    digest = blake2b(digest_size=16)
    name = "[its request is lost to damage]"
    if request is not None:
        try:
            body = cassette.request_body(request)
        except cassette.UndecodableContent:
            body = request.body
        for part in (request.method.encode(), request.path, cassette.canonical(body)):
            digest.update(b"%d " % len(part) + part)
        model = requested_model(request)
        name = f"{request.method} {path_of(request)}" + (f" ({model})" if model else "")
    return Side(
        section=exchange.section_index,
        exchange=exchange.number,
        request=name,
        key=digest.digest(),
        answer=comparable(exchange),
    )


def _unified(a: Side, b: Side) -> list[str]:
    if a.answer == b.answer:
        return []
    return list(difflib.unified_diff(a.answer, b.answer, f"A {a}", f"B {b}", lineterm="", n=2))


def _aligned(a: Sequence[bytes], b: Sequence[bytes]) -> list[tuple[int, int]]:
    """Return the pairs of places at which two recordings have the same request."""
    same = range(min(len(a), len(b)))
    head = len(list(takewhile(lambda n: a[n] == b[n], same)))
    tail = len(list(takewhile(lambda n: a[-1 - n] == b[-1 - n], range(len(same) - head))))
    end_a, end_b = len(a) - tail, len(b) - tail
    pairs = [(n, n) for n in range(head)] + [(end_a + n, end_b + n) for n in range(tail)]
    keys_a, keys_b = _distinct_enough(a[head:end_a], b[head:end_b])
    matcher = difflib.SequenceMatcher(None, keys_a, keys_b, autojunk=False)
    for start_a, start_b, size in matcher.get_matching_blocks():
        pairs += [(head + start_a + n, head + start_b + n) for n in range(size)]
    return pairs + list(_left_over(a, b, pairs))


def _distinct_enough(a: Sequence[bytes], b: Sequence[bytes]) -> tuple[Sequence[Hashable], Sequence[Hashable]]:
    """Return the keys; numbered where so many are equal that aligning them would take for ever."""
    counts = Counter(b)
    if sum(counts[key] for key in a) <= _MOST_PAIRS:
        return a, b
    return _numbered(a), _numbered(b)


def _numbered(keys: Sequence[bytes]) -> list[tuple[bytes, int]]:
    numbers: dict[bytes, Iterator[int]] = defaultdict(count)
    return [(key, next(numbers[key])) for key in keys]


def _left_over(
    a: Sequence[bytes], b: Sequence[bytes], pairs: list[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    of_a, of_b = {one for one, _ in pairs}, {other for _, other in pairs}
    waiting: dict[bytes, deque[int]] = defaultdict(deque)
    for place, key in enumerate(b):
        if place not in of_b:
            waiting[key].append(place)
    for place, key in enumerate(a):
        if place not in of_a and waiting[key]:
            yield place, waiting[key].popleft()
