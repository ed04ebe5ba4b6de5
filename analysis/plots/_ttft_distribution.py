"""What share of streams is as fast as this: the empirical distribution of a metric, a step a stream."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis.comparing._bootstrap import Floats
from tokentape.analysis.plots._axes import blank, figure, log_axis, thinned
from tokentape.analysis.plots._text import (
    count,
    escaped,
    left_out,
    names_of,
    number,
    told_apart,
    unit,
    whole,
)
from tokentape.analysis.plots._theme import DASHES, SERIES, Theme
from tokentape.analysis.plots._values import GAPS, Values, all_missing, values_of

MAX_POINTS = 1_000
"""Of one line; where there are more values these are taken at even ranks, which no eye tells apart."""
_ONE_BELOW_THE_OTHER = {"entrywidthmode": "fraction", "entrywidth": 1}
SHARES = (0, 25, 50, 75, 90, 100)


def ttft_distribution(
    recording: Recording, *, metric: str = "ttft_ms", by: str | None = None, theme: Theme = "any"
) -> Any:
    """Return the distribution of a metric over streams (ECDF) on a logarithmic axis, a line a group.

    `metric` is one of `streams`, or `gap_ms` or `read_gap_ms` (over all gaps). `by` as in
    `Recording.summary`. p50, p90 and p99 are marked, and are those of the summary. Raises ValueError for
    what is no metric and for what streams cannot be grouped by.
    """
    found = values_of(recording, metric, by)
    drawn = [each for each in found if len(each.numbers)]
    missing = left_out(all_missing(found))
    title = f"{metric}: share of {'gaps' if metric in GAPS else 'streams'}"
    if not drawn:
        return blank(title, f"Nothing to show: no stream has a value. {missing}", theme=theme)
    drawn.sort(key=lambda each: each.percentiles[50])
    pooled = np.concatenate([each.numbers for each in drawn])
    many = len(drawn) > 1
    made = figure(
        title,
        [f"n = {count(len(pooled), 'gap' if metric in GAPS else 'stream')}.", missing, off_axis(pooled)],
        theme=theme,
        bottom=52 + 53 * len(drawn) * many,
    )
    names = told_apart([each.name for each in drawn]) if by is not None else ["all"]
    for at, (each, name) in enumerate(zip(drawn, names, strict=True)):
        colour, dash = SERIES[at % len(SERIES)], DASHES[at // len(SERIES) % len(DASHES)]
        told = f"{name}<br>{_told(each, metric)}"
        made.add_trace(ecdf(each, metric, name=told, colour=colour, dash=dash, legend=many))
        made.add_trace(_marks(each, metric, name=name, colour=colour, text=not many))
    made.update_xaxes(log_axis(pooled, unit(metric)), title_text=axis_title(metric))
    made.update_yaxes(percent_axis(), title_text="share up to there")
    return made.update_layout(showlegend=many, legend=_ONE_BELOW_THE_OTHER)


def ecdf(
    each: Values, metric: str, *, name: str, colour: str, dash: str = "solid", legend: bool = True
) -> Any:
    """Return the line of one group: at each value, the percentage of values that are no greater."""
    order = np.argsort(each.numbers, kind="stable")
    at = thinned(len(order), MAX_POINTS)
    group = f"<br>{whole(each.meta)}" if each.meta is not None else ""
    return go.Scatter(
        x=each.numbers[order][at],
        y=(at + 1) * (100 / len(order)),
        name=name,
        mode="lines+markers" if len(order) <= 60 else "lines",
        line={"shape": "hv", "color": colour, "dash": dash, "width": 2},
        marker={"size": 4, "color": colour},
        text=names_of(each.rows.iloc[order[at]]),
        customdata=[[number(value, metric), group] for value in each.numbers[order][at]],
        hovertemplate="%{customdata[0]}: %{y:.4~g}% "
        + ("are no slower" if metric.endswith("_ms") else "have no more")
        + "<br>%{text}%{customdata[1]}<extra></extra>",
        showlegend=legend,
        legendgroup=name,
        meta=each.meta,
    )


def _marks(each: Values, metric: str, *, name: str, colour: str, text: bool) -> Any:
    points = each.percentiles
    return go.Scatter(
        x=list(points.values()),
        y=list(points),
        name=f"{name} percentiles",
        mode="markers+text" if text else "markers",
        marker={"size": 8, "color": colour, "symbol": "circle-open", "line": {"width": 2}},
        text=[f"p{percent} {number(value, metric)}" for percent, value in points.items()],
        textposition="middle left",
        customdata=[whole(each.meta) if each.meta is not None else name] * len(points),
        hovertemplate="%{text}<br>%{customdata}<extra></extra>",
        showlegend=False,
        cliponaxis=False,
        meta=each.meta,
    )


def _told(each: Values, metric: str) -> str:
    p50, p99 = (number(each.percentiles[percent], metric) for percent in (50, 99))
    if not metric.endswith("_ms"):  # the unit is said once
        p50 = p50.removesuffix(f" {unit(metric)}")
    return f"n {len(each.numbers):,}<br>p50 {p50}, p99 {p99}"


def off_axis(values: Floats) -> str:
    """Return what a logarithmic axis cannot show."""
    n = int((values <= 0).sum())
    return f"{n:,} at or below 0 lie left of the axis." if n else ""


def axis_title(metric: str) -> str:
    """Return the name of a metric's axis, with its unit where ticks do not say it."""
    return escaped(metric if metric.endswith("_ms") or not unit(metric) else f"{metric} ({unit(metric)})")


def percent_axis() -> dict[str, Any]:
    """Return the layout of an axis of shares."""
    return {
        "range": [0, 102],
        "tickmode": "array",
        "tickvals": list(SHARES),
        "ticktext": [f"{share}%" for share in SHARES],
    }
