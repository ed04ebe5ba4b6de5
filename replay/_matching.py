"""Which recorded exchange answers a request, and if none does, which came nearest.

Requests are the same if method, path with query, and body (see `canonical`) are. Where the recording has
a placeholder for a secret, any text is the same (see `Wildcard`). Exchanges of the same
request are served in the order in which they were recorded; after the last the first follows again.
Invariant: what was asked n times was served n // k or n // k + 1 times from each of its k exchanges.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Generic, Protocol, TypeVar

from tokentape.cassette import MAX_RECORD_BYTES, UndecodableContent, canonical, decode_content
from tokentape.replay._difference import body_differences, shortened
from tokentape.replay._wildcard import Wildcard, as_value, has_placeholder, wild_places

_CANDIDATES = 32  # a miss is explained while streams are paced: its cost is bounded by these two
_MAX_COMPARED_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestKey:
    """What of a request is matched. `path` is the target with its query, without scheme and host."""

    method: str
    path: bytes
    body: bytes

    @property
    def shown_path(self) -> str:
        """The path as text for people, in whose terminal it does nothing."""
        return _shown(self.path.decode("utf-8", "backslashreplace"))

    def __str__(self) -> str:
        return f"{_shown(self.method)} {self.shown_path}"


def request_key(method: str, target: bytes, body: bytes, content_encoding: str = "") -> RequestKey:
    """Return the key of a request with the target as sent; servers accept whole URLs (RFC 9112, 3.2.2).

    The body is matched with its content-encoding undone, where that can be done.
    """
    if content_encoding:
        with suppress(UndecodableContent):
            body = decode_content(body, content_encoding, max_bytes=MAX_RECORD_BYTES)
    if target[:7].lower() == b"http://" or target[:8].lower() == b"https://":
        _, slash, path = target.partition(b"://")[2].partition(b"/")
        target = slash + path or b"/"
    return RequestKey(method=method, path=target, body=body)


class HasKey(Protocol):
    """Something that was recorded for a request."""

    @property
    def key(self) -> RequestKey:
        """Of the recorded request."""


R = TypeVar("R", bound=HasKey)


class Matcher(Generic[R]):
    """Hands out what was recorded, given in order of recording, for requests that match."""

    def __init__(self, recorded: Sequence[R]) -> None:
        self.recorded = recorded
        self.times_served = [0] * len(recorded)
        self._by_key: dict[bytes, list[int]] = {}
        for index, item in enumerate(recorded):
            self._by_key.setdefault(_digest(item.key), []).append(index)
        self._next: dict[bytes, int] = {}
        self._wildcards = _wildcards(recorded)

    def take(self, key: RequestKey) -> R | None:
        """Return what answers the request and count it as served; None if nothing was recorded for it."""
        digest = _digest(key)
        indexes = self._by_key.get(digest)
        if indexes is None and self._wildcards:
            value = as_value(key.method, key.path, key.body)
            for wildcard in self._wildcards:
                if (found := wildcard.match(value)) is not None:
                    digest = _digest(self.recorded[found].key)
                    indexes = self._by_key.get(digest)
                    break
        if indexes is None:
            return None
        turn = self._next.get(digest, 0)
        self._next[digest] = (turn + 1) % len(indexes)
        index = indexes[turn]
        self.times_served[index] += 1
        return self.recorded[index]

    def explain_miss(self, key: RequestKey) -> list[str]:
        """Return lines that name the nearest recorded request, then how it differs, at most ten."""
        if not self.recorded:
            return ["nothing is recorded"]
        nearest, lines = min(
            ((item, _request_differences(item.key, key)) for item in self._candidates(key)),
            key=lambda found: len(found[1]),
        )
        return [f"nearest recorded request: {nearest.key}", *shortened(lines)]

    def _candidates(self, key: RequestKey) -> list[R]:
        """Return those that agree in path and method, or else in path; the likeliest, by size of body."""

        def distance(item: R) -> tuple[bool, bool, int]:
            other = item.key
            return (
                other.path.partition(b"?")[0] != key.path.partition(b"?")[0],
                other.method != key.method,
                abs(len(other.body) - len(key.body)),
            )

        nearest = sorted(self.recorded, key=distance)
        best = distance(nearest[0])[:2]
        chosen = [item for item in nearest[:_CANDIDATES] if distance(item)[:2] == best]
        size = 0
        for count, item in enumerate(chosen):
            size += len(item.key.body) + len(key.body)
            if size > _MAX_COMPARED_BYTES:
                return chosen[: max(count, 1)]
        return chosen


def _wildcards(recorded: Sequence[HasKey]) -> list[Wildcard]:
    """Return what finds the recorded requests that have placeholders; one for those that have them alike."""
    found: dict[frozenset[tuple[str | int, ...]], Wildcard] = {}
    for index, item in enumerate(recorded):
        key = item.key
        if has_placeholder(key.path) or has_placeholder(key.body):
            value = as_value(key.method, key.path, key.body)
            places = wild_places(value)
            found.setdefault(places, Wildcard(places)).add(value, index)
    return list(found.values())


def _shown(text: str) -> str:
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )


def _digest(key: RequestKey) -> bytes:
    parts = (key.method.encode(), key.path, canonical(key.body))
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d " % len(part) + part)
    return digest.digest()


def _request_differences(recorded: RequestKey, asked: RequestKey) -> list[str]:
    lines = []
    if recorded.method != asked.method:
        lines.append(f"method: recorded {_shown(recorded.method)}, the request has {_shown(asked.method)}")
    if recorded.path != asked.path:
        lines.append(f"path: recorded {recorded.shown_path}, the request has {asked.shown_path}")
    if len(recorded.body) + len(asked.body) > _MAX_COMPARED_BYTES:
        sizes = f"recorded {len(recorded.body)} bytes, the request has {len(asked.body)}"
        return [*lines, f"body: {sizes}: too much to compare here"]
    return lines + body_differences(recorded.body, asked.body)
