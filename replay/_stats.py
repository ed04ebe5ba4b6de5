"""What a server has done so far: what was served how often, what was missed, how late pieces were.

A snapshot is taken while streams are paced, and a cassette may hold ten thousand exchanges: the counts are
copied, and the row of an exchange is made when somebody looks at it. Invariant: a snapshot does not change.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self, overload

from msgspec import convert

from tokentape.replay.faults import FaultHits
from tokentape.replay.timing._lateness import LatenessSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A recorded exchange and how many requests it has answered.

    `status` is None for an exchange that failed before there was a response. `source` names the
    cassette and the exchange in it. `timed` is False where the recording came from a format without the times
    of pieces: these are sent without waiting.
    """

    method: str
    path: str
    status: int | None
    source: str
    times: int
    timed: bool = True
    added: bool = False
    """Whether it was recorded while it was served: then it was asked for, if not from the recording."""


class Rows(Sequence[Served]):
    """A row for each exchange, which `row` makes of its number and its count; then those of `more`."""

    def __init__(
        self, times: Sequence[int], row: Callable[[int, int], Served], more: Sequence[Served] = ()
    ) -> None:
        self._own_times = times
        self._row = row
        self._more = more

    @property
    def times(self) -> list[int]:
        """How many requests each of them has answered."""
        return [*self._own_times, *(row.times for row in self._more)]

    def __len__(self) -> int:
        return len(self._own_times) + len(self._more)

    @overload
    def __getitem__(self, index: int) -> Served: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Served, ...]: ...

    def __getitem__(self, index: int | slice) -> Served | tuple[Served, ...]:
        chosen = range(len(self))[index]
        return self._at(chosen) if isinstance(chosen, int) else tuple(map(self._at, chosen))

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Rows | tuple) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))

    def __reduce__(self) -> tuple[type[tuple[Served, ...]], tuple[tuple[Served, ...]]]:
        return (tuple, (tuple(self),))  # for another process, which has not what they are made of

    def _at(self, number: int) -> Served:
        own = len(self._own_times)
        return self._row(number, self._own_times[number]) if number < own else self._more[number - own]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Requests that nothing was recorded for, by method and path, and what they were answered with."""

    method: str
    path: str
    times: int
    status: int = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """What was asked of the API itself, since it was not recorded.

    Of the requests `forwarded`, `failed` were not answered (the client got a 502), and `recorded` can be
    served from the cassette now. `recorder_failure` is what the recorder said when something was lost.
    """

    forwarded: int
    recorded: int
    failed: int
    recorder_failure: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """A snapshot. `served` has every exchange in order of recording, also those never played.

    What a reload took away follows, if it was served. `missed` lists what was missed, the first thousand
    kinds; `misses` counts all. `models_listed` counts requests for the list of models that was made of the
    recording. `cut_off` counts answers that the server's stop ended early, `unread` those that ended early
    because the client did not read on, `incomplete` requests of which the rest did not come in time.
    `speed` is the speed achieved: what the answers that were played to their end took when they were
    recorded, over what they took now, each from the complete request to its end; None if there was none whose
    times are known. Answers that a fault hit do not count in it; `faults` says how often each fault did. Of
    `lost_workers`, processes that ended although nobody told them to, only what was served is counted.
    `live` is what was asked of the API itself, None if nothing is (see `OnMiss`); none of that is counted as
    missed.
    """

    served: Sequence[Served] = ()
    missed: tuple[Missed, ...] = ()
    misses: int = 0
    lateness: LatenessSummary = field(default_factory=LatenessSummary)
    cut_off: int = 0
    incomplete: int = 0
    unread: int = 0
    models_listed: int = 0
    speed: float | None = None
    faults: tuple[FaultHits, ...] = ()
    lost_workers: int = 0
    live: Live | None = None

    @property
    def never_played(self) -> tuple[Served, ...]:
        """The exchanges that no request has asked for."""
        numbers = (number for number, times in enumerate(_times(self.served)) if not times)
        return tuple(item for item in map(self.served.__getitem__, numbers) if not item.added)

    @property
    def hits(self) -> int:
        """How many requests were answered from the recording."""
        return sum(_times(self.served))

    def as_json(self, *, offset: int = 0, limit: int | None = None) -> dict[str, Any]:
        """Return what `tokentape replay --json` prints: numbers, and `served` and `missed` as lists.

        With a `limit` they have so many items at most, from the item `offset` on; `exchanges` is how many
        `served` has in all. Percentiles are in ms, null without pieces; `speed`, which was achieved, is null
        without timed answers.
        """
        end = None if limit is None else offset + limit
        page = replace(self, served=self.served[offset:end], missed=self.missed[offset:end])
        times = _times(self.served)
        found = {"hits": sum(times), "exchanges": len(times), "never_played": times.count(0), **asdict(page)}
        lateness = found.pop("lateness")
        found["lateness_ms"] = self.lateness.milliseconds
        return found | {name: value for name, value in lateness.items() if not name.endswith("_ns")}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """Return the statistics of which `as_json` made this; latenesses come back to the nanosecond.

        Raises LookupError, TypeError or ValueError for what it did not make.
        """
        lateness = {
            f"{name}_ns": None if ms is None else round(ms * 1e6) for name, ms in found["lateness_ms"].items()
        }
        stats = convert({**found, "lateness": {**found, **lateness}}, cls)
        return replace(stats, served=tuple(stats.served))


def _times(rows: Sequence[Served]) -> list[int]:
    return rows.times if isinstance(rows, Rows) else [row.times for row in rows]
