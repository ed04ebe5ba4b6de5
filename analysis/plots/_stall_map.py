"""Where streams stood still: each stall at its place in its stream, streams in order of start.

Marks in a column are stalls at the same token of many streams, marks in a row are one bad stream, and a
block of rows is a bad time.
"""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.plots._axes import blank, figure
from tokentape.analysis.plots._text import count, duration, ids_of, left_out, names_of
from tokentape.analysis.plots._theme import FAINT, VERMILLION, Theme
from tokentape.analysis.plots._values import values_of

MAX_MARKS = 4_000
MAX_LINES = 400
"""Above so many streams, how long each was is no longer drawn."""


def stall_map(recording: Recording, over_ms: float = 200, *, theme: Theme = "any") -> Any:
    """Return a mark for each gap above `over_ms`: across, its place in the stream; down, the stream.

    The area of a mark is in proportion to the gap. Where there are more than 4,000 the longest are drawn,
    and the title says so. Streams without gaps have no row.
    """
    title = f"Stalls: gaps over {duration(over_ms)}"
    found = next(iter(values_of(recording, "gap_ms")), None)
    if found is None or not len(found.numbers):
        missing = left_out(found.missing) if found is not None else ""
        return blank(title, f"Nothing to show: no stream has two token events. {missing}", theme=theme)
    streams = _rows(recording)
    stalls = recording.stalls(over_ms)
    drawn = (
        stalls.head(MAX_MARKS)
        .astype({"choice": "int64"})
        .merge(streams, on=STREAM_KEY, how="left", validate="m:1")
    )
    hit = len(stalls[STREAM_KEY].drop_duplicates())
    made = figure(
        title,
        [
            f"{count(len(stalls), 'stall')} in {hit:,} of {count(len(streams), 'stream')}"
            + (f"; the longest {duration(float(stalls['gap_ms'].max()))}." if len(stalls) else "."),
            f"Drawn: the {MAX_MARKS:,} longest." if len(stalls) > MAX_MARKS else "",
            left_out(found.missing),
        ],
        theme=theme,
        height=int(np.clip(10 * len(streams), 160, 460)),
    )
    if len(streams) <= MAX_LINES:
        made.add_trace(_extents(streams))
    made.add_trace(_marks(drawn))
    if not len(stalls):
        made.add_annotation(
            text=f"no gap over {duration(over_ms)}",
            x=0.5,
            y=0.5,
            xref="paper",
            yref="paper",
            font={"size": 13},
        )
    made.update_xaxes(title_text="token events before it", rangemode="tozero", tickformat=",d", nticks=7)
    made.update_xaxes(range=[0, 1.03 * float(max(streams["token_events"].max(), 1))])
    made.update_yaxes(
        range=[len(streams) + 0.5, 0.5],
        tickformat=",d",
        title_text="streams, first at the top",
        nticks=8,
        showgrid=False,
    )
    return made.update_layout(showlegend=False)


def _rows(recording: Recording) -> pd.DataFrame:
    """Return the streams that have gaps, in order of start, numbered from 1; unknown starts come last."""
    streams = recording.streams
    known = streams[streams["gap_max_ms"].notna()].drop_duplicates(STREAM_KEY)
    ordered = known.sort_values("started_at", kind="stable", na_position="last")
    return ordered[[*STREAM_KEY, "token_events"]].assign(row=np.arange(1, len(ordered) + 1))


def _extents(streams: pd.DataFrame) -> Any:
    return go.Scatter(
        x=[x for n in streams["token_events"] for x in (0, int(n), None)],
        y=[y for row in streams["row"] for y in (int(row), int(row), None)],
        mode="lines",
        line={"color": FAINT, "width": 1},
        hoverinfo="skip",
        name="streams",
    )


def _marks(drawn: pd.DataFrame) -> Any:
    gaps = drawn["gap_ms"].to_numpy("float64")
    # So many that they would cover one another are smaller.
    widest = float(np.clip(270 / np.sqrt(max(len(gaps), 1)), 5, 12))
    return go.Scatter(
        x=drawn["token_event"].astype("int64").to_numpy(),
        y=drawn["row"].to_numpy(),
        mode="markers",
        marker={
            "color": VERMILLION,
            "opacity": 0.6,
            "size": gaps,
            "sizemode": "area",
            "sizeref": 2 * float(gaps.max()) / widest**2 if len(gaps) else 1,
            "sizemin": 2,
            "line": {"width": 0},
        },
        text=names_of(drawn),
        ids=[f"{name}\n{row}" for name, row in zip(ids_of(drawn), drawn["token_event"], strict=True)],
        customdata=[duration(gap) for gap in gaps],
        hovertemplate="%{customdata} before token event %{x}<br>%{text}<extra></extra>",
        name="stalls",
    )
