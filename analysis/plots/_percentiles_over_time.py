"""Whether it got slower, and when: percentiles of a metric in equal spans of time.

The invariant: p90 and p99 are drawn where a span has values enough for one to lie beyond them (10 and 100);
where there are fewer they would be the maximum under another name.
"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.plots._axes import blank, figure, log_axis, time_axis
from tokentape.analysis.plots._text import count, left_out, number, unit
from tokentape.analysis.plots._theme import BLUE, GREY, ORANGE, VERMILLION, Theme
from tokentape.analysis.plots._ttft_distribution import axis_title
from tokentape.analysis.plots._values import GAPS, PERCENTS, Values, check_metric, values_of

SPANS = ("1s", "5s", "15s", "1min", "5min", "15min", "1h", "3h", "6h", "1D", "7D")
MAX_SPANS = 60
LEAST = {50: 1, 90: 10, 99: 100}
_COLOURS = {50: BLUE, 90: ORANGE, 99: VERMILLION}
_SYMBOLS = {50: "circle", 90: "diamond", 99: "triangle-up"}


def percentiles_over_time(
    recording: Recording, metric: str = "ttft_ms", every: str | None = None, *, theme: Theme = "any"
) -> Any:
    """Return p50, p90 and p99 of a metric for each span of time, and below them over how many values.

    A stream belongs to the span in which it started. `every` is the length of a span as pandas says it
    ("15min", "1h", "1D"); without it, the shortest of which there are at most 60. Raises ValueError for
    what is no metric and no length.
    """
    check_metric(metric)
    length = _length(every)
    title = f"{metric} over time"
    found = next(iter(values_of(recording, metric)), None)
    missing = found.missing if found is not None else {}
    started = _started(recording, found, metric) if found is not None else None
    if found is None or started is None or not started.notna().any():
        return blank(
            title,
            f"Nothing to show: no stream has a value and a time of day. {left_out(missing)}",
            theme=theme,
        )
    known = started.notna().to_numpy()
    values = pd.Series(found.numbers[known])
    times = started[known].reset_index(drop=True)
    length = length or _chosen(times)
    spans = values.groupby(times.dt.floor(length))
    every_span = pd.date_range(times.min().floor(length), times.max().floor(length), freq=length)
    sizes = spans.size().reindex(every_span, fill_value=0)
    table = pd.DataFrame(
        {percent: spans.quantile(percent / 100).where(spans.size() >= LEAST[percent]) for percent in PERCENTS}
    ).reindex(every_span)
    unseen = int((~known).sum())
    made = figure(
        title,
        [
            f"n = {count(len(values), 'gap' if metric in GAPS else 'stream')} in spans of {_said(length)}.",
            "p90 is drawn from 10 values on, p99 from 100.",
            left_out(missing),
            f"{unseen:,} without a time of day are left out." if unseen else "",
        ],
        theme=theme,
        height=340,
        rows=[3, 1],
        spacing=0.05,
    )
    x = [time.tz_convert(None).isoformat() for time in every_span]
    for percent in reversed(PERCENTS):
        if table[percent].notna().any():
            made.add_trace(_line(x, table[percent], sizes, percent, metric), row=1, col=1)
            _label(made, x, table[percent], percent)
    made.add_trace(
        go.Bar(
            x=x, y=sizes.to_numpy(), marker={"color": GREY, "line": {"width": 0}}, name="n",
            width=pd.Timedelta(length).total_seconds() * 900, offset=0,
            hovertemplate="%{y:,} from %{x} on<extra></extra>",
        ),
        row=2, col=1,
    )  # fmt: skip
    made.update_xaxes(time_axis(every_span[0], every_span[-1] + pd.Timedelta(length)))
    made.update_xaxes(title_text="start of the request (UTC)", row=2, col=1)
    made.update_yaxes(log_axis(table.to_numpy("float64").ravel(), unit(metric)), row=1, col=1)
    made.update_yaxes(title_text=axis_title(metric), row=1, col=1)
    made.update_yaxes(title_text="n", rangemode="tozero", tickformat=",d", row=2, col=1)
    made.update_yaxes({"dtick": 1} if sizes.max() <= 3 else {"nticks": 3}, row=2, col=1)
    made.update_layout(showlegend=False, margin={"r": 40})
    return made


def _started(recording: Recording, found: Values, metric: str) -> "pd.Series[Any]":
    if metric not in GAPS:
        return found.rows["started_at"].reset_index(drop=True)
    starts = recording.streams.loc[~recording.streams.duplicated(STREAM_KEY), [*STREAM_KEY, "started_at"]]
    rows = found.rows[STREAM_KEY].astype({"choice": "int64"})
    return rows.merge(starts, on=STREAM_KEY, how="left", validate="m:1")["started_at"]


def _length(every: str | None) -> str | None:
    if every is None:
        return None
    try:
        span = pd.Timedelta(every)
    except ValueError:
        span = None
    if span is None or pd.isna(span) or span <= pd.Timedelta(0):
        raise ValueError(f'expected a length of time such as "15min", "1h" or "1D", found {every!r}')
    return every


def _chosen(times: "pd.Series[Any]") -> str:
    whole = times.max() - times.min()
    return next((span for span in SPANS if whole / pd.Timedelta(span) <= MAX_SPANS), SPANS[-1])


def _said(length: str) -> str:
    for name, short in (("day", "D"), ("minute", "min"), ("hour", "h"), ("second", "s")):
        n = length.removesuffix(short)
        if n != length and n.isdigit():
            return count(int(n), name)
    return length


def _line(
    x: list[str], values: "pd.Series[float]", sizes: "pd.Series[int]", percent: int, metric: str
) -> Any:
    at = values.to_numpy("float64")
    return go.Scatter(
        x=x,
        y=np.where(at > 0, at, np.nan),
        name=f"p{percent}",
        mode="lines+markers",
        line={"color": _COLOURS[percent], "width": 2},
        marker={"size": 5, "symbol": _SYMBOLS[percent], "color": _COLOURS[percent]},
        customdata=[[number(float(value), metric), int(n)] for value, n in zip(at, sizes, strict=True)],
        hovertemplate=f"p{percent} %{{customdata[0]}} of %{{customdata[1]:,}}<br>from %{{x}} on"
        "<extra></extra>",
    )


def _label(made: Any, x: list[str], values: "pd.Series[float]", percent: int) -> None:
    last = int(np.flatnonzero(values.notna().to_numpy())[-1])
    made.add_annotation(
        text=f"<b>p{percent}</b>", x=x[last],
        y=np.log10(max(float(values.iloc[last]), 1e-9)), xanchor="left", xshift=6, row=1, col=1,
    )  # fmt: skip
