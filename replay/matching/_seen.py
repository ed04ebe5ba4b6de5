"""What was found for what came before: a load test sends the same bytes again and again.

Invariant: what is kept is never more than `max_bytes`. When it would be, all of it goes: what is asked for
again comes back.
"""

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Seen(Generic[K, V]):
    """Keeps results by key, where the same key has the same result for ever."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._found: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._found)

    def get(self, key: K) -> V | None:
        """Return the result for a key, if it is kept."""
        return self._found.get(key)

    def keep(self, key: K, found: V, size: int) -> None:
        """Keep a result, which takes so many bytes with its key, if there is room for it at all."""
        if self._bytes + size > self._max_bytes:
            self._found.clear()
            self._bytes = 0
        if size <= self._max_bytes:
            self._found[key] = found
            self._bytes += size
