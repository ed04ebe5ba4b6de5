"""What was found for requests that came before: a load test sends the same bytes again and again.

Invariant: what is kept is never more than `max_bytes` of requests. When it would be, all of it goes: what is
asked for again comes back.
"""

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Seen(Generic[K, V]):
    """Remembers results by key, where the same key has the same result for ever."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._found: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K, size: int, find: Callable[[], V]) -> V:
        """Return the result for a key that takes `size` bytes, which `find` is asked for the first time."""
        try:
            return self._found[key]
        except KeyError:
            pass
        found = find()
        if self._bytes + size > self._max_bytes:
            self._found.clear()
            self._bytes = 0
        if size <= self._max_bytes:
            self._found[key] = found
            self._bytes += size
        return found
