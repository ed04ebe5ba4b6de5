"""What one server has counted, in full: several of them can be added up to the statistics of all.

Percentiles cannot be added up, so a tally has the distribution of lateness itself.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from tokentape.replay._stats import Live, Missed, Stats
from tokentape.replay.timing._lateness import Lateness


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """The counts of one server. `answered` has what its requests were answered with.

    `recorded_ns` is how long the answers that have ended took when they were recorded, `played_ns` how long
    the same ones took now.
    """

    answered: Stats
    lateness: Lateness
    cut_off: int = 0
    incomplete: int = 0
    unread: int = 0
    recorded_ns: int = 0
    played_ns: int = 0

    @property
    def stats(self) -> Stats:
        """The statistics that these counts make."""
        known = self.recorded_ns and self.played_ns
        return replace(
            self.answered,
            lateness=self.lateness.summary(),
            cut_off=self.cut_off,
            incomplete=self.incomplete,
            unread=self.unread,
            speed=self.recorded_ns / self.played_ns if known else None,
        )

    @property
    def own(self) -> Self:
        """The same without what processes count together: what was served, and what faults have hit."""
        return replace(self, answered=replace(self.answered, served=(), faults=()))


def added_up(tallies: Sequence[Tally]) -> Tally:
    """Return the counts of servers that count together what was served and hit: the last one says that."""
    lateness = Lateness()
    missed: Counter[tuple[str, str, int]] = Counter()
    for tally in tallies:
        lateness.add_all(tally.lateness)
        for kind in tally.answered.missed:
            missed[kind.method, kind.path, kind.status] += kind.times
    answered = replace(
        tallies[-1].answered,
        missed=tuple(
            Missed(method=method, path=path, times=times, status=status)
            for (method, path, status), times in missed.items()
        ),
        misses=sum(tally.answered.misses for tally in tallies),
        live=_live([tally.answered.live for tally in tallies if tally.answered.live is not None]),
        models_listed=sum(tally.answered.models_listed for tally in tallies),
    )
    return Tally(
        answered=answered,
        lateness=lateness,
        cut_off=sum(tally.cut_off for tally in tallies),
        incomplete=sum(tally.incomplete for tally in tallies),
        unread=sum(tally.unread for tally in tallies),
        recorded_ns=sum(tally.recorded_ns for tally in tallies),
        played_ns=sum(tally.played_ns for tally in tallies),
    )


def _live(found: Sequence[Live]) -> Live | None:
    if not found:
        return None
    failures = [each.recorder_failure for each in found if each.recorder_failure is not None]
    return Live(
        forwarded=sum(each.forwarded for each in found),
        recorded=sum(each.recorded for each in found),
        failed=sum(each.failed for each in found),
        recorder_failure=failures[0] if failures else None,
    )
