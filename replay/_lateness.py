"""How late pieces were: a distribution in bounded memory, exact to the microsecond.

Lateness is counted in buckets of 1 us; what is a second late or more, in buckets of 1 ms, so that a day
of a machine that stands still cannot fill the memory. The maximum is exact. Invariant: the buckets hold
every piece that was counted.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

_US = 1_000
_MS = 1_000_000
_S = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LatenessSummary:
    """The lateness of `pieces` timed writes: heads, pieces of bodies and ends of answers.

    It is counted until the bytes are written. What the system does not take yet waits in the process, 64 KiB
    and a piece at most, and counts as written. Where nothing was written, all are None. `held` are other
    writes, which came due while their client did not read: when they went was its doing.
    A percentile is the smallest lateness (rounded down to 1 us; to 1 ms from a second on) that so many
    percent of the pieces do not exceed.
    """

    pieces: int = 0
    p50_ns: int | None = None
    p99_ns: int | None = None
    max_ns: int | None = None
    held: int = 0

    @property
    def milliseconds(self) -> dict[str, float | None]:
        """The percentiles and the maximum by name, in ms; None where nothing was written."""
        times = {"p50": self.p50_ns, "p99": self.p99_ns, "max": self.max_ns}
        return {name: None if ns is None else ns / 1e6 for name, ns in times.items()}


class Histogram(NamedTuple):
    """How many of `pieces` were late by at most each of some bounds, and how late all were together."""

    at_most: tuple[int, ...]
    pieces: int
    sum_ns: int


class Lateness:
    """Counts latenesses as they happen. Reading it from another thread is safe."""

    def __init__(self) -> None:
        self.buckets: dict[int, int] = {}
        """How many pieces by the lower bound of their lateness in ns."""
        self.max_ns = 0
        """The greatest lateness in ns."""
        self.held = 0
        """How many pieces waited for their client, and are not in the distribution."""

    def add(self, late_ns: int) -> None:
        """Count one piece that was `late_ns` late."""
        bucket = late_ns - late_ns % (_US if late_ns < _S else _MS)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1
        self.max_ns = max(self.max_ns, late_ns)

    def add_all(self, other: "Lateness") -> None:
        """Count also what another has counted."""
        for bucket, count in other.buckets.copy().items():  # copy() does not let another thread in between
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.max_ns = max(self.max_ns, other.max_ns)
        self.held += other.held

    def summary(self) -> LatenessSummary:
        """Return the distribution of what was counted so far."""
        buckets = sorted(self.buckets.copy().items())  # as above
        pieces = sum(count for _, count in buckets)
        return LatenessSummary(
            pieces=pieces,
            p50_ns=_percentile(buckets, pieces, 50),
            p99_ns=_percentile(buckets, pieces, 99),
            max_ns=self.max_ns if pieces else None,
            held=self.held,
        )

    def histogram(self, bounds_ns: Sequence[int]) -> Histogram:
        """Return the distribution by bounds, which ascend. It is rounded as percentiles are."""
        buckets = self.buckets.copy()
        counts = [0] * (len(bounds_ns) + 1)
        for bucket, count in buckets.items():
            counts[bisect_left(bounds_ns, bucket)] += count
        *at_most, pieces = accumulate(counts)
        sum_ns = sum(bucket * count for bucket, count in buckets.items())
        return Histogram(at_most=tuple(at_most), pieces=pieces, sum_ns=sum_ns)

    def clear(self) -> None:
        """Forget what was counted."""
        self.buckets = {}
        self.max_ns = 0
        self.held = 0


def _percentile(buckets: list[tuple[int, int]], pieces: int, percent: int) -> int | None:
    rank = -(-pieces * percent // 100)
    for bound, count in buckets:
        rank -= count
        if rank <= 0:
            return bound
    return None
