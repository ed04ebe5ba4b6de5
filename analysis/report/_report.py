"""The report: from recordings to a page, by way of views, of which each is a recording of its own.

The invariant: the same recordings and the same words give the same page, to the byte. Nothing in it is of
today, and what is limited is limited by numbers that stand on the page.
"""

from typing import TYPE_CHECKING, Any

from tokentape.analysis.comparing._comparison import compare
from tokentape.analysis.report import _sections as sections
from tokentape.analysis.report import _slowest as slow
from tokentape.analysis.report._document import document
from tokentape.analysis.report._figures import OF_ONE, OF_TWO, plots_of, plots_of_two, templates, timeline
from tokentape.analysis.report._numbers import rows
from tokentape.analysis.report._side import sides_of
from tokentape.analysis.report._text import shown
from tokentape.analysis.report._views import each_value, facets_of
from tokentape.analysis.summarising._grouping import names_of
from tokentape.progress import followed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokentape.analysis._recording import Recording
    from tokentape.analysis.comparing._comparison import Comparison
    from tokentape.analysis.report._side import Side
    from tokentape.analysis.report._views import Facet

_GROUPED_BY = "model"


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
    sides = sides_of(recordings, facets)
    total = sum(len(each.streams) for each in recordings)

    found = None if b is None else compare(a, b, progress=progress)
    groups = [] if b is None else [(each, compare(a, b, by=each, progress=progress)) for each in columns]
    comparison = found and sections.comparisons(sides, found, groups)

    views = _views(sides, facets, found, [*columns, _GROUPED_BY][0], progress=progress) if total else []
    slowest, timelines = _slowest(sides, progress=progress)

    left_out = sections.left_out(sides)
    reasons = {row.reason for row in left_out.missing} | (comparison.unsure if comparison else set())
    return document(
        {"views": views, "timelines": timelines, "templates": templates()},
        total=total,
        head=sections.head(sides, title),
        summary=sections.summary(sides, found, notes),
        comparison=comparison,
        facets=facets,
        numbers=rows([(side.name, side.recording) for side in sides]),
        plots=OF_ONE if b is None else OF_TWO,
        slowest=slowest,
        left_out=left_out,
        glossary=sections.glossary(sides, reasons),
    )


def _views(
    sides: "Sequence[Side]",
    facets: "Sequence[Facet]",
    found: "Comparison | None",
    by: str,
    *,
    progress: bool,
) -> list[dict[str, Any]]:
    """Return what a click can choose: everything, which was compared already, and each value of a facet.

    A view's `name` is shown. Its `value` is as strangers wrote it, to be compared with what plots know, and
    never shown.
    """
    chosen = [(f"{facet.name} {shown(value.name)}", value.name) for facet, value in each_value(facets)]
    views = list(enumerate([("all streams", None), *chosen]))
    return [
        {"name": name, "value": value} | _view([side.view(at) for side in sides], None if at else found, by)
        for at, (name, value) in followed(views, shown=progress, what="drawing plots")
    ]


def _view(sides: "Sequence[tuple[str, Recording]]", compared: "Comparison | None", by: str) -> dict[str, Any]:
    """Return what the page's script puts in place for a view: texts of cells, and plots."""
    one, *others = (each for _, each in sides)
    return {
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


def _slowest(sides: "Sequence[Side]", *, progress: bool) -> tuple[list[slow.SlowStream], list[Any]]:
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
