"""Figures of two recordings on one scale, so that what is larger in one of them looks larger.

The invariant: a range only grows; nothing that one of the two figures shows alone is cut.
"""

from typing import Any

import numpy as np

from tokentape.analysis.plots._axes import log_axis


def alike(one: Any, other: Any, *axes: str) -> None:
    """Give both figures the same ranges of these axes, where both have some; logarithmic ones are in ms."""
    for axis in axes:
        ranges = [figure.layout[axis].range for figure in (one, other)]
        if all(ranges):
            low, high = zip(*ranges, strict=True)
            ends = (min(low), max(high))
            ticks: dict[str, Any] = {"range": ends}
            if one.layout[axis].type == "log":  # ends within, so that the axis has no tick more
                ticks = log_axis(10 ** np.array([min(low) + 2e-3, max(high) - 2e-3]), "ms")
            for figure in (one, other):
                figure.update_layout({axis: ticks})


def bars_alike(one: Any, other: Any) -> None:
    """Let the highest bar of both decide how high both are drawn."""
    tops = [
        max(
            (float(np.max(each.y)) for each in figure.data if each.type == "bar" and len(each.y)), default=0.0
        )
        for figure in (one, other)
    ]
    if min(tops) > 0:
        for figure in (one, other):
            figure.layout.yaxis.range = (0, 1.06 * max(tops))


def marks_alike(one: Any, other: Any) -> None:
    """Draw marks whose area is a number on one scale."""
    marks = [
        each.marker
        for figure in (one, other)
        for each in figure.data
        if each.type == "scatter" and each.marker.sizeref is not None and len(each.x)
    ]
    for each in marks:
        each.sizeref = max(mark.sizeref for mark in marks)
