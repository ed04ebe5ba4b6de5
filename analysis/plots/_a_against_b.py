"""Is B slower, by how much, and am I sure: both distributions, and the change of each percentile.

The intervals are those of `compare`: a bootstrap over whole requests. A band around the curves would say
less: two bands that overlap may still hide a difference, and an interval of the change does not.
"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing._comparison import Comparison, compare
from tokentape.analysis.plots._axes import blank, figure, log_axis
from tokentape.analysis.plots._text import count, escaped, left_out, number, unit
from tokentape.analysis.plots._theme import BLUE, GREEN, GREY, VERMILLION, Theme
from tokentape.analysis.plots._ttft_distribution import axis_title, ecdf, off_axis, percent_axis
from tokentape.analysis.plots._values import GAPS, Values, values_of
from tokentape.analysis.summarising._summary import METRICS

_SIDES = {"A": BLUE, "B": VERMILLION}
_ABOVE = {
    "xref": "paper", "x": 0, "yref": "paper", "y": 1, "yanchor": "bottom", "itemclick": False,
    "itemdoubleclick": False, "entrywidthmode": "fraction", "entrywidth": 1,
}  # fmt: skip
"""Names of the curves, one below the other above them: beside a curve there is not always room."""


def a_against_b(
    a: Recording,
    b: Recording,
    metric: str = "ttft_ms",
    *,
    comparison: Comparison | None = None,
    theme: Theme = "any",
) -> Any:
    """Return the distributions of a metric in both, and how much p50, p90 and p99 changed, with intervals.

    `metric` is a row of `Recording.summary`. `comparison` is what `compare(a, b)` gave, if it was computed
    before. Where an interval is missing, the figure says why. Raises ValueError for what is no metric.
    """
    if metric not in METRICS:
        raise ValueError(f"expected a metric to compare ({', '.join(METRICS)}), found {metric!r}")
    title = f"{metric}: B against A"
    sides = {
        side: next(iter(values_of(recording, metric)), None)
        for side, recording in zip(_SIDES, (a, b), strict=True)
    }
    known = {side: each for side, each in sides.items() if each is not None and len(each.numbers)}
    missing = [_missing(side, each) for side, each in sides.items()]
    if len(known) < 2:
        absent = " and ".join(side for side in sides if side not in known)
        return blank(title, f"Nothing to compare: {absent} has no value. {' '.join(missing)}", theme=theme)
    changes = (comparison or compare(a, b)).quantiles.xs(metric, level="metric")
    pooled = np.concatenate([each.numbers for each in known.values()])
    told = {side: number(each.percentiles[50], metric) for side, each in known.items()}
    thing = "gap" if metric in GAPS else "stream"
    made = figure(
        title,
        [
            "; ".join(f"{side}: {count(len(each.numbers), thing)}" for side, each in known.items()) + ".",
            *missing,
            off_axis(pooled),
        ],
        theme=theme,
        height=440,
        above=46,
        rows=[1.7, 1],
        spacing=0.17,
    )
    made.update_xaxes(matches=None)
    for side, each in known.items():
        made.add_trace(
            ecdf(each, metric, name=f"{side}: p50 {told[side]}", colour=_SIDES[side]), row=1, col=1
        )
    made.add_trace(_medians(known, metric), row=1, col=1)
    made.update_xaxes(log_axis(pooled, unit(metric)), row=1, col=1)
    made.update_xaxes(title_text=axis_title(metric), showticklabels=True, row=1, col=1)
    made.update_yaxes(percent_axis() | {"title": {"text": "share"}}, row=1, col=1)
    _draw_changes(made, changes, metric)
    return made.update_layout(showlegend=True, legend=_ABOVE)


def _missing(side: str, each: Values | None) -> str:
    said = left_out(each.missing) if each is not None else ""
    return f"{side}: {said[0].lower()}{said[1:]}" if said else ""


def _medians(known: dict[str, Values], metric: str) -> Any:
    return go.Scatter(
        x=[each.percentiles[50] for each in known.values()],
        y=[50] * len(known),
        mode="markers",
        marker={
            "size": 8, "color": [_SIDES[side] for side in known], "symbol": "circle-open",
            "line": {"width": 2},
        },
        text=[f"{side} p50 {number(each.percentiles[50], metric)}" for side, each in known.items()],
        hovertemplate="%{text}<extra></extra>",
        showlegend=False,
        name="medians",
    )  # fmt: skip


def _draw_changes(made: Any, changes: Any, metric: str) -> None:
    known = changes[changes["change_pct"].notna()]
    low, high = known["low_pct"].to_numpy("float64"), known["high_pct"].to_numpy("float64")
    middle = known["change_pct"].to_numpy("float64")
    slower, faster = (high < 0, low > 0) if metric == "tokens_per_s" else (low > 0, high < 0)
    colours = [
        VERMILLION if bad else GREEN if good else GREY for bad, good in zip(slower, faster, strict=True)
    ]
    made.add_trace(
        go.Scatter(
            x=middle,
            y=list(known.index),
            mode="markers",
            marker={
                "size": 10,
                "color": colours,
                "symbol": ["circle-open" if np.isnan(end) else "circle" for end in low],
            },
            error_x={
                "type": "data", "symmetric": False, "array": high - middle, "arrayminus": middle - low,
                "color": GREY, "thickness": 2, "width": 6,
            },
            text=[_told(row) for row in known.to_dict("records")],
            customdata=[
                f"A {number(row['a'], metric)}, B {number(row['b'], metric)}"
                for row in known.to_dict("records")
            ],
            hovertemplate="%{y}: %{customdata}<br>%{text}<extra></extra>",
            cliponaxis=False,
            name="change",
            showlegend=False,
        ),
        row=2, col=1,
    )  # fmt: skip
    ends = np.concatenate([low, high, middle, [0.0]])
    reach = float(np.nanmax(np.abs(ends))) * 1.25 or 1.0
    made.update_xaxes(
        range=[-reach, reach],
        ticksuffix="%",
        tickformat="+~g",
        title_text=_direction(metric),
        row=2,
        col=1,
    )
    made.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(changes.index),
        range=[len(changes) - 0.5, -0.8],
        row=2,
        col=1,
    )
    made.add_shape(type="line", x0=0, x1=0, y0=0, y1=1, yref="y2 domain", xref="x2")
    for at, row in enumerate(changes.to_dict("records")):
        made.add_annotation(
            text=_told(row), x=0, xref="x2 domain", xanchor="left", y=at, yref="y2", yshift=13
        )


def _direction(metric: str) -> str:
    less, more = ("faster", "slower") if metric.endswith("_ms") else ("less", "more")
    return f"← B {less}      change      B {more} →"


def _told(row: dict[Any, Any]) -> str:
    if pd.isna(row["change_pct"]):
        return escaped(f"missing: {row['why']}")
    change = f"{row['change_pct']:+.1f}%"
    if pd.isna(row["low_pct"]):
        return f"{change}, no interval: {row['why']}"
    return f"{change} (95%: {row['low_pct']:+.1f} to {row['high_pct']:+.1f})"
