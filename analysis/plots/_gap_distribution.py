"""How long streams pause between tokens: gaps in logarithmic bins, a row of its own for each group.

The invariant: the bins of a group and its gaps of 0, which a logarithmic axis cannot show, are all its gaps.
"""

import math
from typing import Any

import numpy as np
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.comparing._bootstrap import Floats
from tokentape.analysis.plots._axes import blank, figure, log_axis
from tokentape.analysis.plots._text import count, duration, left_out, shown, told_apart, whole
from tokentape.analysis.plots._theme import BLUE, VERMILLION, Theme
from tokentape.analysis.plots._values import Values, all_missing, values_of

BINS_A_DECADE = 20
_TITLE = "gap_ms: time between tokens"


def gap_distribution(recording: Recording, *, by: str | None = None, theme: Theme = "any") -> Any:
    """Return how gaps between token events are distributed, on a logarithmic axis, a row for each group.

    All gaps of all streams are pooled, as in `Recording.summary`; p50, p90, p99 and the maximum are marked
    and are the summary's. Gaps of 0, between events of one read (`coalesced`), are counted in the notes.
    Raises ValueError for what streams cannot be grouped by.
    """
    found = values_of(recording, "gap_ms", by)
    drawn = [each for each in found if len(each.numbers)]
    missing = left_out(all_missing(found), "stream")
    if not drawn:
        return blank(_TITLE, f"Nothing to show: no stream has two token events. {missing}", theme=theme)
    pooled = np.concatenate([each.numbers for each in drawn])
    zero = int((pooled <= 0).sum())
    streams = sum(_streams(each) for each in drawn)
    head = 18 if by is None else 32  # of each row: a line of numbers, and one for its name
    height = 260 if len(drawn) == 1 else (100 + head) * len(drawn)
    made = figure(
        _TITLE,
        [
            f"n = {count(len(pooled), 'gap')} of {count(streams, 'stream')}; {BINS_A_DECADE} bins a decade.",
            _coalesced(zero, len(pooled)),
            missing,
        ],
        theme=theme,
        above=head,
        height=height,
        rows=[1.0] * len(drawn),
        spacing=(head + 6) / height,
    )
    axis = log_axis(pooled, "ms")
    edges = _edges(axis["range"])
    names = told_apart([each.name for each in drawn])
    for row, (each, name) in enumerate(zip(drawn, names, strict=True), 1):
        made.add_trace(_bars(each, edges), row=row, col=1)
        made.add_trace(_marks(each), row=row, col=1)
        points = each.percentiles
        above = f"<b>{name}</b><br>" if by is not None else ""
        made.add_annotation(
            text=f"{above}p50 {duration(points[50])}, p99 {duration(points[99])}, "
            f"max {duration(float(each.numbers.max()))}",
            x=0, xref="x domain", xanchor="left", y=1, yref="y domain", yanchor="bottom", yshift=2,
            align="left", hovertext=whole(each.meta) if each.meta is not None else None,
            row=row, col=1,
        )  # fmt: skip
    made.update_xaxes(axis)
    made.update_xaxes(title_text="gap_ms", row=len(drawn), col=1)
    made.update_yaxes(ticksuffix="%", rangemode="tozero", nticks=4)
    made.update_yaxes(title_text="share of gaps", row=(len(drawn) + 1) // 2, col=1)
    return made.update_layout(showlegend=False, bargap=0)


def _coalesced(zero: int, n: int) -> str:
    return f"{zero:,} gaps of 0 ({zero / n:.1%}: several events in one read) are not drawn." if zero else ""


def _streams(each: Values) -> int:
    return len(each.rows[STREAM_KEY].drop_duplicates())


def _edges(ends: list[float]) -> Floats:
    low, high = math.floor(ends[0] * BINS_A_DECADE), math.ceil(ends[1] * BINS_A_DECADE)
    found: Floats = 10 ** (np.arange(low, high + 1) / BINS_A_DECADE)
    # A value that is an edge stays inside, whatever rounding has made of the edge.
    found[0] *= 1 - 1e-9
    found[-1] *= 1 + 1e-9
    return found


def _bars(each: Values, edges: Floats) -> Any:
    counts, _ = np.histogram(each.numbers[each.numbers > 0], edges)
    return go.Bar(
        x=np.sqrt(edges[:-1] * edges[1:]),
        width=np.diff(edges),
        y=counts * (100 / len(each.numbers)),
        marker={"color": BLUE, "line": {"width": 0}},
        name=shown(each.name),
        customdata=np.column_stack(
            [
                counts.astype(object),
                [duration(edge) for edge in edges[:-1]],
                [duration(edge) for edge in edges[1:]],
            ]
        ),
        hovertemplate="%{customdata[1]} to %{customdata[2]}<br>%{customdata[0]:,} gaps, %{y:.3~g}%"
        f"{'<br>%{text}' if each.meta is not None else ''}<extra></extra>",
        text=[whole(each.meta)] * len(counts) if each.meta is not None else None,
        textposition="none",
        meta=each.meta,
    )


def _marks(each: Values) -> Any:
    points = {f"p{percent}": value for percent, value in each.percentiles.items()}
    points["max"] = float(each.numbers.max())
    on_axis = {name: value for name, value in points.items() if value > 0}
    return go.Scatter(
        x=list(on_axis.values()),
        y=[0] * len(on_axis),
        mode="markers",
        marker={"symbol": "triangle-up", "size": 9, "color": VERMILLION},
        text=[f"{name} {duration(value)}" for name, value in on_axis.items()],
        hovertemplate="%{text}<extra></extra>",
        cliponaxis=False,
        meta=each.meta,
    )
