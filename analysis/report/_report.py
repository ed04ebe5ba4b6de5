"""The report: from recordings to a page, by way of views, of which each is a recording of its own.

The invariant: the same recordings and the same words give the same page, to the byte. Nothing in it is of
today, and what is limited is limited by numbers that stand here and on the page.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tokentape.analysis._comparison import compare
from tokentape.analysis._definitions import DEFINITIONS
from tokentape.analysis._grouping import check_grouping
from tokentape.analysis._progress import followed
from tokentape.analysis.report import _terms as terms
from tokentape.analysis.report._compared import changes, effects
from tokentape.analysis.report._document import document
from tokentape.analysis.report._figures import OF_ONE, OF_TWO, plots_of, templates, timeline
from tokentape.analysis.report._left_out import lost_lines, missing, unread
from tokentape.analysis.report._numbers import PLACES, cards, cards_of_two, rows
from tokentape.analysis.report._slowest import DEFAULT_ORDER, OF_A_VIEW, OF_ALL, ORDERS, chosen, only, slow_streams
from tokentape.analysis.report._text import counts, number
from tokentape.analysis.report._views import Parts, each_value, facets_of, views_of
from tokentape.analysis.report._words import headline, name_of, recorded, tokens_from

if TYPE_CHECKING:
    from tokentape.analysis._comparison import Comparison
    from tokentape.analysis._recording import Recording

Side = tuple[str, "Recording"]


def report(
    a: "Recording",
    b: "Recording | None" = None,
    *,
    by: str | Sequence[str] | None = None,
    title: str | None = None,
    notes: Sequence[str] = (),
    progress: bool = False,
) -> str:
    """Return a page about a recording, or about B compared with A, as one file of HTML.

    The page needs no network and no other file. Plots, filters and timelines need JavaScript; the numbers,
    tables and definitions do not. `by` names columns of `streams` (as in `Recording.summary`) by which the
    page can be filtered and B compared with A, beside model, outcome and route, which are always there. `notes` are sentences about what was
    left out before: they are printed. `progress` shows a bar on a terminal after the first second.

    It can be encoded as UTF-8, and is the same for the same input. Raises ValueError for a `by` that
    streams cannot be grouped by.
    """
    columns = [by] if isinstance(by, str) else list(by or ())
    for column in columns:
        check_grouping(column)
    sides: list[Side] = [("", a)] if b is None else [("A", a), ("B", b)]
    facets = facets_of([each.streams for _, each in sides], columns)
    parts = [Parts(each) for _, each in sides]
    masks = [views_of(each.streams, facets) for _, each in sides]
    whole = [each.summary() for _, each in sides]
    compared = None if b is None else compare(a, b)
    names = ["all streams", *(f"{facet.name} {value.name}" for facet, value in each_value(facets))]
    views = [
        _view(
            name,
            [(side, part.of(mask[at])) for (side, _), part, mask in zip(sides, parts, masks, strict=True)],
            None if at else compared,
        )
        for at, name in followed(list(enumerate(names)), shown=progress, what="drawing plots")
    ]
    slowest, timelines = _slowest(sides, parts, masks)
    by_group = [(each, changes(compare(a, b, by=each).quantiles)) for each in columns] if b is not None else []
    lost, more_lost = lost_lines([each for _, each in sides])
    return document(
        {"views": views, "timelines": timelines, "templates": templates()},
        title=title or " against ".join(name_of(each) for _, each in sides),
        sides=[
            {"side": side, "name": name_of(each), "recorded": recorded(each), "headline": headline(each, summary)}
            for (side, each), summary in zip(sides, whole, strict=True)
        ],
        is_empty=not any(len(each.streams) for _, each in sides),
        streams=[len(each.streams) for _, each in sides],
        verdict=compared and compared.verdict,
        paired=bool(compared and compared.paired),
        changes=compared and changes(compared.quantiles),
        effects=compared and effects(compared.effects),
        by_group=by_group,
        cards=cards_of_two(compared.quantiles) if compared else cards(a.streams, whole[0]) if len(a.streams) else [],
        rows=rows([(side, each, summary) for (side, each), summary in zip(sides, whole, strict=True)]),
        number=number,
        places=PLACES,
        terms=terms,
        facets=facets,
        plots=OF_ONE if b is None else OF_TWO,
        slowest=slowest,
        orders=ORDERS,
        default_order=DEFAULT_ORDER,
        of_all=OF_ALL,
        of_a_view=OF_A_VIEW,
        missing=missing(sides),
        lost=lost,
        more_lost=more_lost,
        notes=[*notes, *unread(sides)],
        tokens_from=tokens_from([each for _, each in sides]),
        outcomes=_seen([each.streams["outcome"] for _, each in sides]),
        definitions=[DEFINITIONS[each.definitions] for _, each in sides[:1] if each.definitions],
    )


def _view(name: str, sides: Sequence[Side], compared: "Comparison | None") -> dict[str, Any]:
    """Return what the page's script puts in place for a view: texts of cells, and plots."""
    summaries = [each.summary() for _, each in sides]
    return {
        "name": name,
        "streams": [len(each.streams) for _, each in sides],
        "cells": [
            cell
            for row in rows([(side, each, summary) for (side, each), summary in zip(sides, summaries, strict=True)])
            for cell in row.cells
        ],
        "plots": plots_of(*(each for _, each in sides), comparison=compared),
    }


def _slowest(sides: Sequence[Side], parts: Sequence[Parts], masks: Any) -> tuple[list[Any], list[Any]]:
    """Return the rows of the slowest streams, the slowest first, and the timeline of each."""
    found = []
    at = [chosen(each.streams, mask) for (_, each), mask in zip(sides, masks, strict=True)]
    scale_ms = max(
        (
            float(each.streams["last_token_ms"].iloc[places].max())
            for (_, each), places in zip(sides, at, strict=True)
            if places
        ),
        default=0.0,
    )
    for (side, each), part, mask, places in zip(sides, parts, masks, at, strict=True):
        few = only(part, each.streams, places)
        found += [(row, timeline(few, row.key)) for row in slow_streams(side, few, mask, places, scale_ms)]
    found.sort(key=lambda pair: -(pair[0].values[DEFAULT_ORDER] or 0.0))
    return [row for row, _ in found], [figure for _, figure in found]


def _seen(columns: Sequence[Any]) -> list[str]:
    return [name for name in terms.OUTCOMES if any(name in dict(counts(column)) for column in columns)]
