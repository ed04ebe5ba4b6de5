"""What stands in each section of the page, from top to bottom, but for its plots and its slowest streams.

The invariant: a section holds texts and numbers, and the template prints them; it decides nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokentape.analysis.measuring._definitions import DEFINITIONS
from tokentape.analysis.report import _terms as terms
from tokentape.analysis.report._compared import Compared, compared
from tokentape.analysis.report._left_out import Missing, lost_lines, missing, unread
from tokentape.analysis.report._numbers import Card, cards, cards_of_two, counted_as
from tokentape.analysis.report._stalls import stalled
from tokentape.analysis.report._text import counts
from tokentape.analysis.report._words import headline, name_of, recorded, tokens_from

if TYPE_CHECKING:
    import pandas as pd

    from tokentape.analysis._recording import Recording
    from tokentape.analysis.comparing._comparison import Comparison
    from tokentape.analysis.measuring._definitions import Definitions
    from tokentape.analysis.report._side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The title, and of each side its name, its file, and when it was recorded."""

    title: str
    recorded: list[tuple[str, str, str]]


def head(sides: "Sequence[Side]", title: str | None) -> Head:
    """Return the head; without a title it has the names of the files."""
    files = [name_of(side.recording) for side in sides]
    return Head(
        title=title or " against ".join(files),
        recorded=[
            (side.name, file, recorded(side.recording)) for side, file in zip(sides, files, strict=True)
        ],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is to be read first: sentences, of each side too, and a few large numbers."""

    verdict: str | None
    """Of two recordings alone."""
    paired: bool
    headlines: list[tuple[str, str]]
    stalled: str
    cards: list[Card]
    notes: list[str]


def summary(sides: "Sequence[Side]", found: "Comparison | None", notes: Iterable[str]) -> Summary:
    """Return the summary of a recording, or of what was found where two were compared."""
    named = _named(sides)
    return Summary(
        verdict=None if found is None else found.verdict,
        paired=found is not None and found.paired,
        headlines=[(side.name, headline(side.recording)) for side in sides],
        stalled=stalled(named),
        cards=cards(sides[0].recording) if found is None else cards_of_two(found.quantiles, _streams(sides)),
        notes=[*notes, *unread(named)],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparisons:
    """B compared with A: everything, and by what `by` names; `kinds` says how tokens are known."""

    whole: Compared
    groups: list[Compared]
    kinds: dict[str, str]

    @property
    def unsure(self) -> set[str]:
        """Why something has no interval."""
        return {why for each in (self.whole, *self.groups) for why in each.unsure}


def comparisons(
    sides: "Sequence[Side]", found: "Comparison", groups: "Sequence[tuple[str, Comparison]]"
) -> Comparisons:
    """Return what was found where everything was compared, and by each of some columns."""
    return Comparisons(
        whole=compared("", found),
        groups=[compared(by, each) for by, each in groups],
        kinds={metric: counted_as(_streams(sides), metric) for metric in terms.LABELS},
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """What was lost from the cassettes, a line each, and which streams have no number, and why."""

    lost: list[str]
    more_lost: int
    missing: list[Missing]


def left_out(sides: "Sequence[Side]") -> LeftOut:
    """Return what no number of the page is of."""
    lost, more_lost = lost_lines([side.recording for side in sides])
    return LeftOut(lost=lost, more_lost=more_lost, missing=missing(_named(sides)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Glossary:
    """What the words on the page mean: of those that may stand on it, the ones that do."""

    tools: "list[Definitions]"
    tokens_from: str
    sources: dict[str, str]
    outcomes: dict[str, str]
    reasons: dict[str, str]


def glossary(sides: "Sequence[Side]", reasons: Iterable[str]) -> Glossary:
    """Return the meanings; `reasons` are those for which something on the page is missing."""
    recordings = [side.recording for side in sides]
    used = dict.fromkeys(each.definitions for each in recordings)
    return Glossary(
        tools=[DEFINITIONS[name] for name in used if name],
        tokens_from=tokens_from(recordings),
        sources=_seen(sides, "tokens_from", terms.SOURCES),
        outcomes=_seen(sides, "outcome", terms.OUTCOMES),
        reasons={  # outcomes are explained as such
            name: text for name in sorted(set(reasons) - set(terms.OUTCOMES)) if (text := terms.meaning(name))
        },
    )


def _seen(sides: "Sequence[Side]", column: str, known: dict[str, str]) -> dict[str, str]:
    seen = {name for each in _streams(sides) for name, _ in counts(each[column])}
    return {name: text for name, text in known.items() if name in seen}


def _named(sides: "Sequence[Side]") -> "list[tuple[str, Recording]]":
    return [(side.name, side.recording) for side in sides]


def _streams(sides: "Sequence[Side]") -> "list[pd.DataFrame]":
    return [side.recording.streams for side in sides]
