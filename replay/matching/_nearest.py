"""What of the recording comes nearest to a request that matches nothing, and how it differs.

A miss is explained while streams are paced. Invariant: however much is recorded, a bounded number of requests
and of bytes of their bodies is compared.
"""

from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from tokentape.replay.matching._compared import Compared
from tokentape.replay.matching._difference import request_differences, shortened
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.matching._secrets import printable

_CANDIDATES = 32
_MAX_COMPARED_BYTES = 1 << 20


class HasKey(Protocol):
    """Something that was recorded for a request. `source` says where, for people."""

    @property
    def key(self) -> RequestKey:
        """Of the recorded request."""

    @property
    def source(self) -> str:
        """The cassette and the exchange in it."""


R = TypeVar("R", bound=HasKey)


class Nearest(Generic[R]):
    """Compares with what was `recorded`, a list that may grow, what `compared` says matters of a request."""

    def __init__(
        self, recorded: Sequence[R], compared: Callable[[RequestKey], Compared], *, with_body: bool
    ) -> None:
        self._recorded = recorded
        self._compared = compared
        self._with_body = with_body

    def lines(self, key: RequestKey) -> list[str]:
        """Return a line that names the nearest recorded request, then how it differs, at most ten.

        Of several cassettes it names the one that has it.
        """
        nearest, lines = min(
            ((item, self._all_differences(item, key)) for item in self._candidates(key)),
            key=lambda found: len(found[1]),
        )
        several = len({item.source.rpartition(", exchange ")[0] for item in self._recorded}) > 1
        where = f" ({printable(nearest.source)})" if several else ""
        return [f"nearest recorded request: {nearest.key}{where}", *shortened(lines)]

    def differences(self, recorded: R, key: RequestKey) -> list[str]:
        """Return how a request differs from a recorded one, in at most ten lines."""
        return shortened(self._all_differences(recorded, key))

    def _all_differences(self, recorded: R, key: RequestKey) -> list[str]:
        sizes = len(recorded.key.body), len(key.body)
        then, now = self._compared(recorded.key), self._compared(key)
        if sum(sizes) > _MAX_COMPARED_BYTES and self._with_body:
            lines = request_differences(then._replace(body=None), now._replace(body=None))
            said = f"body: recorded {sizes[0]} bytes, the request has {sizes[1]}: too much to compare here"
            return [*lines, said]
        return request_differences(then, now)

    def _candidates(self, key: RequestKey) -> list[R]:
        """Return those that agree in path and method, or else in path; the likeliest, by size of body."""

        def distance(item: R) -> tuple[bool, bool, int]:
            other = item.key
            return (
                other.path.partition(b"?")[0] != key.path.partition(b"?")[0],
                other.method != key.method,
                abs(len(other.body) - len(key.body)),
            )

        nearest = sorted(self._recorded, key=distance)
        best = distance(nearest[0])[:2]
        chosen = [item for item in nearest[:_CANDIDATES] if distance(item)[:2] == best]
        size = 0
        for count, item in enumerate(chosen):
            size += len(item.key.body) + len(key.body)
            if size > _MAX_COMPARED_BYTES:
                return chosen[: max(count, 1)]
        return chosen
