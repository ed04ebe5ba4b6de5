"""What a server has done so far: what was served how often, what was missed, how late pieces were."""

from dataclasses import dataclass, field

from tokentape.replay._lateness import LatenessSummary


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """Requests that nothing was recorded for, by method and path."""

    method: str
    path: str
    times: int


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
    recording. `cut_off` counts answers that the server's stop ended early. `speed` is the speed achieved:
    what the answers that were played to their end took when they were recorded, over what they took now,
    each from the complete request to its end; None if there was none whose times are known. Of
    `lost_workers`, processes that ended although nobody told them to, only what was served is counted.
    `live` is what was asked of the API itself, None if nothing is (see `OnMiss`); none of that is counted as
    missed.
    """

    served: tuple[Served, ...] = ()
    missed: tuple[Missed, ...] = ()
    misses: int = 0
    lateness: LatenessSummary = field(default_factory=LatenessSummary)
    cut_off: int = 0
    models_listed: int = 0
    speed: float | None = None
    lost_workers: int = 0
    live: Live | None = None

    @property
    def never_played(self) -> tuple[Served, ...]:
        """The exchanges that no request has asked for."""
        return tuple(item for item in self.served if not item.times and not item.added)

    @property
    def hits(self) -> int:
        """How many requests were answered from the recording."""
        return sum(item.times for item in self.served)
