"""Axes that can be read: logarithmic ones with `1 ms`, `10 ms`, `1 s`, and figures that say what is seen."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from tokentape.analysis.comparing._bootstrap import Floats
from tokentape.analysis.plots._text import lines
from tokentape.analysis.plots._theme import Theme, template

_STEPS = (1, 2, 5)
_BETWEEN = (1.5, 3, 7)
"""Where 1, 2 and 5 are too few."""
TITLE_CHARS = 36
"""What fits into 360 px in the size and weight of a title."""


def figure(
    title: str,
    notes: Sequence[str] = (),
    *,
    theme: Theme,
    height: int = 360,
    bottom: int = 48,
    above: int = 0,
    rows: Sequence[float] = (),
    spacing: float = 0.06,
) -> Any:
    """Return a figure without data: a title, notes below it, and room for both; `rows` share an x axis.

    `height` is the plot's own, without title, legend, and what is drawn `above` it. `title`
    and `notes` are plain text.
    """
    head, below = lines(title, TITLE_CHARS), [line for note in notes if note for line in lines(note)]
    top = 34 + 19 * len(head) + 16 * len(below) + above
    layout = {
        "template": template(theme),
        "title": {"text": "<br>".join(head), "subtitle": {"text": "<br>".join(below)}},
        "margin": {"l": 12, "r": 28, "t": top, "b": bottom},
        "height": height + top + bottom,
        "meta": {"above": above},  # for a page that takes the title out
    }
    if not rows:
        return go.Figure(layout=layout)
    made = make_subplots(
        rows=len(rows), cols=1, shared_xaxes=True, vertical_spacing=spacing, row_heights=list(rows)
    )
    return made.update_layout(layout)


def blank(title: str, why: str, *, theme: Theme) -> Any:
    """Return a figure that says why there is nothing to see."""
    made = figure(title, theme=theme, height=120, bottom=12)
    made.update_xaxes(visible=False, range=[0, 1])
    made.update_yaxes(visible=False, range=[0, 1])
    return made.add_annotation(
        text="<br>".join(lines(why)), x=0.5, y=0.5, xref="paper", yref="paper", font={"size": 13}
    )


def log_axis(values: Floats, unit: str) -> dict[str, Any]:
    """Return the layout of a logarithmic axis over the positive values, its ends on 1, 2 or 5."""
    positive = values[values > 0]
    low, high = (float(positive.min()), float(positive.max())) if len(positive) else (1.0, 10.0)
    if high < 1.5 * low:  # room for what is written beside a mark
        low, high = low / 1.5, high * 1.5
    ticks = _ticks(low, high)
    decades = math.log10(ticks[-1] / ticks[0])
    keep = (1, 2, 5) if decades <= 1.35 else (1, 3) if decades <= 2.4 else (1,)
    if 3 in keep:
        ticks = sorted({*ticks, *(tick * 3 for tick in ticks if _digit(tick) == 1 and tick * 3 < ticks[-1])})
    named = {tick for tick in ticks if _digit(tick) in keep}
    if len(named) < 3:
        between = {float(f"{step * 10.0 ** math.floor(math.log10(ticks[0])):.12g}") for step in _BETWEEN}
        between |= {tick * 10 for tick in between}
        named |= {tick for tick in between if ticks[0] < tick < ticks[-1]}
        ticks = sorted({*ticks, *named})
    return {
        "type": "log",
        # A little more, or rounding takes the ticks at the ends away.
        "range": [math.log10(ticks[0]) - 1e-3, math.log10(ticks[-1]) + 1e-3],
        "tickangle": 0,
        "tickmode": "array",
        "tickvals": ticks,
        "ticktext": [_tick(tick, unit) if tick in named else "" for tick in ticks],
    }


def _ticks(low: float, high: float) -> list[float]:
    """Return all of 1, 2, 5 times a power of ten from the last one below `low` to the first above `high`."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = [float(f"{step}e{power}") for power in range(first, last + 1) for step in _STEPS]
    begin = max((mark for mark in marks if mark <= low * 1.0000001), default=marks[0])
    end = min((mark for mark in marks if mark >= high * 0.9999999 and mark > begin), default=marks[-1])
    return [mark for mark in marks if begin <= mark <= end]


def _digit(tick: float) -> int:
    return int(f"{tick:e}"[0])


def _tick(value: float, unit: str) -> str:
    if unit != "ms":
        return f"{value:,.12g}"
    for size, name in ((1_000, "s"), (1, "ms")):
        if value >= size:
            return f"{value / size:,.12g} {name}"
    return f"{value:.12g} ms" if value >= 0.05 else f"{value * 1_000:.12g} µs"


def time_axis(begin: Any, end: Any) -> dict[str, Any]:
    """Return the layout of an axis of time of day whose labels have room side by side on a phone.

    Within seconds they are as long as `14:13:27.25`, within minutes as `14:13:27`, else as `Sep 21`.
    """
    seconds = (end - begin).total_seconds()
    return {"type": "date", "tickangle": 0, "nticks": 3 if seconds < 8 else 4 if seconds < 600 else 6}


def thinned(n: int, at_most: int) -> Any:
    """Return so many positions of `n` at even distances, the first and the last among them."""
    return np.arange(n) if n <= at_most else np.unique(np.linspace(0, n - 1, at_most).round().astype(int))
