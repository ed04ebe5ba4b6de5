"""The report: from recordings to a page, by way of views, of which each is a recording of its own.

The invariant: the same recordings and the same words give the same page, to the byte. Nothing in it is of
today, and what is limited is limited by numbers that stand on the page.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tokentape.analysis.comparing._comparison import compare
from tokentape.analysis.measuring._definitions import DEFINITIONS
from tokentape.analysis.report import _slowest as slow
from tokentape.analysis.report import _terms as terms
from tokentape.analysis.report._compared import changes, effects, failures
from tokentape.analysis.report._document import document
from tokentape.analysis.report._figures import OF_ONE, OF_TWO, plots_of, plots_of_two, templates, timeline
from tokentape.analysis.report._left_out import lost_lines, missing, unread
from tokentape.analysis.report._numbers import PLACES, cards, cards_of_two, counted_as, rows
from tokentape.analysis.report._stalls import stalled
from tokentape.analysis.report._text import counts, number
from tokentape.analysis.report._views import Mask, Parts, each_value, facets_of, views_of
from tokentape.analysis.report._words import headline, name_of, recorded, tokens_from
from tokentape.analysis.summarising._grouping import names_of
from tokentape.progress import followed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from tokentape.analysis._recording import Recording
    from tokentape.analysis.comparing._comparison import Comparison

_GROUPED_BY = "model"


@dataclass(frozen=True, slots=True)
class _Side:
    """A recording, its name beside another ("" if there is none), and which of its streams each view has."""

    name: str
    recording: "Recording"
    parts: Parts
    masks: list[Mask]

    def view(self, at: int) -> tuple[str, "Recording"]:
        return self.name, self.parts.of(self.masks[at])

    def described(self) -> dict[str, str]:
        return {
            "side": self.name,
            "name": name_of(self.recording),
            "recorded": recorded(self.recording),
            "headline": headline(self.recording),
        }


def report(
    a: "Recording",
    b: "Recording | None" = None,
    *,
    by: "str | Sequence[str] | None" = None,
    title: str | None = None,
    notes: "Sequence[str]" = (),
    progress: bool = False,
) -> str:
    """Return a page about a recording, or about B compared with A, as one file of HTML.

    The page needs no network and no other file. Plots, filters and timelines need JavaScript; the numbers,
    tables and definitions do not. It can be filtered by model, outcome and route, and by the columns that
    `by` names (as in `Recording.summary`), by which B is compared with A, too. `notes` are sentences about
    what was left out before, which are printed. `progress` shows a bar on a terminal after a second.

    The page can be encoded as UTF-8, and is the same for the same input. Raises ValueError for a `by` that
    streams cannot be grouped by.
    """
    columns = list(names_of(by))
    recordings = [a] if b is None else [a, b]
    facets = facets_of([each.streams for each in recordings], columns)
    sides = [
        _Side(name if b is not None else "", each, Parts(each), views_of(each.streams, facets))
        for name, each in zip("AB", recordings, strict=False)
    ]
    compared = None if b is None else compare(a, b, progress=progress)
    groups = [] if b is None else [(each, compare(a, b, by=each, progress=progress)) for each in columns]
    is_empty = not any(len(each.streams) for each in recordings)
    names = ["all streams", *(f"{facet.name} {value.name}" for facet, value in each_value(facets))]
    views = [
        _view(name, [side.view(at) for side in sides], None if at else compared, [*columns, _GROUPED_BY][0])
        for at, name in followed(
            [] if is_empty else list(enumerate(names)), shown=progress, what="drawing plots"
        )
    ]
    slowest, timelines = _slowest(sides, progress=progress)
    named = [(side.name, side.recording) for side in sides]
    left_out = missing(named)
    changed = [] if compared is None else changes(compared.quantiles)
    by_group = [(name, changes(each.quantiles), each.left_out) for name, each in groups]
    effect = [] if compared is None else effects(compared.effects)
    unsure = [row.why for rows in (changed, *(rows for _, rows, _ in by_group)) for row in rows if row.why]
    unsure += [row.why for row in effect if row.why]
    streams = [each.streams for each in recordings]
    lost, more_lost = lost_lines(recordings)
    return document(
        {"views": views, "timelines": timelines, "templates": templates()},
        title=title or " against ".join(map(name_of, recordings)),
        sides=[side.described() for side in sides],
        is_empty=is_empty,
        streams=sum(len(each.streams) for each in recordings),
        verdict=compared and compared.verdict,
        paired=bool(compared and compared.paired),
        stalled=stalled(named),
        changes=changed,
        effects=effect,
        failures=compared and failures(compared.failures),
        by_group=by_group,
        kinds={metric: counted_as(streams, metric) for metric in terms.LABELS},
        cards=cards_of_two(compared.quantiles, streams) if compared else cards(a),
        rows=rows(named),
        facets=facets,
        plots=OF_ONE if b is None else OF_TWO,
        slow=slow,
        slowest=slowest,
        missing=left_out,
        reasons=_explained(row.reason for row in left_out) | _explained(unsure),
        lost=lost,
        more_lost=more_lost,
        notes=[*notes, *unread(named)],
        tokens_from=tokens_from(recordings),
        sources={name: terms.SOURCES[name] for name in _seen(streams, "tokens_from", terms.SOURCES)},
        outcomes={name: terms.OUTCOMES[name] for name in _seen(streams, "outcome", terms.OUTCOMES)},
        tools=[DEFINITIONS[name] for name in dict.fromkeys(each.definitions for each in recordings) if name],
        terms=terms,
        places=PLACES,
        number=number,
    )


def _view(
    name: str, sides: "Sequence[tuple[str, Recording]]", compared: "Comparison | None", by: str
) -> dict[str, Any]:
    """Return what the page's script puts in place for a view: texts of cells, and plots."""
    one, *others = (each for _, each in sides)
    return {
        "name": name,
        "hint": _of_one_side(sides),
        "streams": sum(len(each.streams) for _, each in sides),
        "cells": [cell for row in rows(sides) for cell in row.cells],
        "plots": plots_of_two(one, others[0], compared) if others else plots_of(one, by),
    }


def _of_one_side(sides: "Sequence[tuple[str, Recording]]") -> str:
    """Return what to do where only one of two recordings has such streams; "" where nothing is amiss."""
    empty = [side for side, each in sides if not len(each.streams)]
    if len(sides) < 2 or len(empty) != 1:
        return ""
    return f"{empty[0]} has none of them, so that nothing can be compared: choose what both have."


def _slowest(sides: "Sequence[_Side]", *, progress: bool) -> tuple[list[slow.SlowStream], list[Any]]:
    """Return the rows of the slowest streams, the slowest first, and the timeline of each."""
    chosen = [(side, slow.chosen(side.recording.streams, side.masks)) for side in sides]
    few = [(side, at, slow.only(side.parts, side.recording.streams, at)) for side, at in chosen if at]
    naming = slow.Naming.of([side.recording.streams for side in sides])
    scale_ms = max((float(each.streams["last_token_ms"].max()) for _, _, each in few), default=0.0)
    found = [
        (row, each)
        for side, at, each in few
        for row in slow.slow_streams(side.name, each, side.masks, at, scale_ms, naming)
    ]
    found.sort(key=lambda pair: -pair[0].slowness)
    drawn = followed(found, shown=progress, what="drawing timelines")
    return [row for row, _ in found], [timeline(each, row.key) for row, each in drawn]


def _seen(tables: "Sequence[pd.DataFrame]", column: str, known: "Iterable[str]") -> list[str]:
    seen = {name for each in tables for name, _ in counts(each[column])}
    return [name for name in known if name in seen]


def _explained(reasons: "Iterable[str]") -> dict[str, str]:
    """Return what each reason means; outcomes are explained as such."""
    return {
        name: text for name in sorted(set(reasons) - set(terms.OUTCOMES)) if (text := terms.meaning(name))
    }
