"""Findings that say the same, said once: in one stream, and over all the streams of a file.

The invariant: what is folded is counted, so that the counts of the folds add up to the findings.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

from tokentape.dialects.rules._finding import Finding, Folded

_INDEX = re.compile(r"\[\d+\]")
_OF_ONE_STREAM = re.compile(r'"(?:[^"\\]|\\.)*"|\d+')
"""Ids, texts and numbers in what was expected: another stream has others."""

Place = TypeVar("Place")
Key: TypeAlias = tuple[str, str, str, str]


def folded(findings: Iterable[Finding]) -> list[Folded]:
    """Return each finding of a stream once, with the number of events that have it: the first stands for all.

    Findings are the same if what was expected, of which choice, and where in the event are, whichever
    item of an array it is.
    """
    firsts: dict[tuple[str, int | None, str, str], Finding] = {}
    events: dict[tuple[str, int | None, str, str], set[int]] = {}
    for finding in findings:
        path = anywhere(finding.path)
        key = (finding.code, finding.choice, path, finding.expected)
        firsts.setdefault(key, finding)
        events.setdefault(key, set()).add(finding.event)
    return [Folded(finding, len(events[key])) for key, finding in firsts.items()]


def anywhere(path: str) -> str:
    """Return a path without the places in its arrays."""
    return _INDEX.sub("[]", path)


@dataclass(slots=True)
class FoldedOver(Generic[Place]):
    """A finding that several streams have: the first of them, where it is, and how many have it how often."""

    finding: Finding
    place: Place
    streams: int = 0
    events: int = 0
    findings: int = 0


@dataclass(slots=True)
class Folds(Generic[Place]):
    """The findings of many streams, each once.

    They are the same if their level, their code and where in the event are, and what was expected but for
    its numbers and quoted values; of which choice does not count. Holds no more than one of each.
    """

    _folds: dict[Key, FoldedOver[Place]] = field(default_factory=dict)

    def add(self, findings: Iterable[Finding], place: Place) -> None:
        """Take in the findings of another stream."""
        events: dict[Key, set[int]] = {}
        for finding in findings:
            expected = _OF_ONE_STREAM.sub("", finding.expected)
            key: Key = (finding.level, finding.code, anywhere(finding.path), expected)
            fold = self._folds.setdefault(key, FoldedOver(finding, place))
            fold.findings += 1
            events.setdefault(key, set()).add(finding.event)
        for key, numbers in events.items():
            self._folds[key].streams += 1
            self._folds[key].events += len(numbers)

    def rarest_first(self) -> list[FoldedOver[Place]]:
        """Return the folds, notes after warnings, then by how many streams and events have each."""
        return sorted(
            self._folds.values(),
            key=lambda fold: (fold.finding.level != "warning", fold.streams, fold.events),
        )
