"""One stream from the request on: every clock, every event by what it carried, every read, every pause.

The invariant: what is drawn is of the stream's own events and of those without a choice (a bill, the end
mark), and zero is the moment at which the proxy had the complete request.
"""

from collections.abc import Hashable, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import EXCHANGE_KEY, STREAM_KEY
from tokentape.analysis.plots._axes import blank, figure
from tokentape.analysis.plots._text import count, duration, names_of, shown
from tokentape.analysis.plots._theme import CARRIED_COLOURS, FAINT, GREY, VERMILLION, Theme

StreamName: TypeAlias = tuple[str, int, int, int]
"""Cassette, section, exchange and choice."""
MAX_MARKS = 1_500
"""In one lane; where there are more, those that would touch are drawn as one."""
LATE = 0.6
OTHER = "other events"
_CLOCK_COLOURS = {
    "ttft_ms": VERMILLION,
    "first_reasoning_ms": CARRIED_COLOURS["reasoning"],
    "first_content_ms": CARRIED_COLOURS["content"],
    "first_tool_call_ms": CARRIED_COLOURS["tool_call"],
}


def stream_timeline(
    recording: Recording, stream: "StreamName | Hashable", *, over_ms: float = 200, theme: Theme = "any"
) -> Any:
    """Return one stream as a timeline: its clocks, its events and reads, and the gaps between its tokens.

    `stream` is the label of a row of `recording.streams`, or a tuple of cassette, section, exchange and
    choice. Gaps above `over_ms` are marked as stalls. Raises ValueError if there is no such stream.
    """
    if not len(recording.streams):
        return blank("One stream", "Nothing to show: the recording has no streams.", theme=theme)
    row = _row(recording.streams, stream)
    (name,) = names_of(row)
    title = "One stream from its request on"
    events, reads = (
        _of_stream(recording.events, row, choice=True),
        _of_stream(recording.reads, row, choice=False),
    )
    timed = events[events["t_ms"].notna()]
    reads = reads[reads["t_ms"].notna()]
    clocks = row[list(schema.CLOCKS)].iloc[0].astype("float64")
    if not clocks.notna().any() and not len(timed):
        why = row["end_ms_why"].iloc[0]
        return blank(title, f"Nothing to show: no time of this stream is known ({why}).", theme=theme)
    lanes = _lanes(timed)
    gaps = timed[timed["gap_ms"].notna()]
    stalls = gaps[gaps["gap_ms"] > over_ms]
    span = float(np.nanmax([clocks.max(), reads["t_ms"].max() if len(reads) else np.nan, 1]))
    notes = [f"{_plain(row)}: {_told(row, len(stalls), over_ms)}"]
    if max((len(lane) for lane in (*lanes.values(), reads)), default=0) > MAX_MARKS:
        notes.append(f"Marks closer than {duration(span / MAX_MARKS)} are drawn as one.")
    heights = [17.0 * len(schema.CLOCKS), 24.0 * (len(lanes) + 1) + 6, 130.0]
    made = figure(title, notes, theme=theme, height=int(sum(heights)) + 40, rows=heights, spacing=0.035)
    _draw_clocks(made, clocks, row, span)
    for lane, rows in lanes.items():
        made.add_trace(_ticks(rows, lane, span), row=2, col=1)
    made.add_trace(_read_ticks(reads, span), row=2, col=1)
    for trace in (_stems(gaps, span), _stall_marks(stalls, name)):
        made.add_trace(trace, row=3, col=1)
    _lay_out(made, [*lanes, "reads"], span, has_gaps=bool(len(gaps)))
    return made


def _row(streams: pd.DataFrame, stream: Any) -> pd.DataFrame:
    if isinstance(stream, tuple) and len(stream) == 4:
        keys = zip(STREAM_KEY, stream, strict=True)
        found = streams[
            np.logical_and.reduce([(streams[key] == value).to_numpy(bool) for key, value in keys])
        ]
    elif stream in streams.index:
        found = streams.loc[[stream]]
    else:
        found = streams.iloc[:0]
    if not len(found):
        raise ValueError(
            "expected a row label of `streams`, or a tuple of cassette, section, exchange and choice that it "
            f"has; found {stream!r}"
        )
    return found.iloc[:1]


def _of_stream(table: pd.DataFrame, row: pd.DataFrame, *, choice: bool) -> pd.DataFrame:
    first = row.iloc[0]
    is_own = [(table[key] == first[key]).to_numpy(bool) for key in EXCHANGE_KEY]
    if choice:
        is_own.append((table["choice"].isna() | (table["choice"] == first["choice"])).to_numpy(bool))
    own: pd.DataFrame = table[np.logical_and.reduce(is_own)]
    return own


def _lanes(events: pd.DataFrame) -> dict[str, pd.DataFrame]:
    carries = events["carries"].astype("str").str.split("+")
    lanes = {kind: events[[kind in each for each in carries]] for kind in CARRIED_COLOURS}
    lanes[OTHER] = events[~events["is_token"]]
    return {kind: rows for kind, rows in lanes.items() if len(rows)}


def _plain(row: pd.DataFrame) -> str:
    first = row.iloc[0]
    cassette = str(first["cassette"]).rpartition("/")[2]
    more = [f"section {first['section']}"] if first["section"] else []
    more += [f"exchange {first['exchange']}"] + ([f"choice {first['choice']}"] if first["choice"] else [])
    return " ".join(" · ".join([_short(cassette, 32), *more]).split())


def _short(text: str, max_chars: int) -> str:
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return plain if len(plain) <= max_chars else f"{plain[: max_chars - 1]}…"


def _told(row: pd.DataFrame, stalls: int, over_ms: float) -> str:
    first = row.iloc[0]
    parts = [_short(str(first["model"]), 40)] if isinstance(first["model"], str) else []
    parts.append(str(first["outcome"]))
    if pd.notna(first["output_tokens"]):
        parts.append(f"{count(int(first['output_tokens']), 'token')} ({first['tokens_from']})")
    parts += [f"{count(int(first['token_events']), 'token event')} in {count(int(first['reads']), 'read')}"]
    return f"{', '.join(parts)}; {count(stalls, 'stall')} over {duration(over_ms)}."


def _draw_clocks(made: Any, clocks: "pd.Series[float]", row: pd.DataFrame, span: float) -> None:
    known = clocks[clocks.notna()]
    # Labels of late clocks stand before them, and a line through a label cannot be read.
    ends = [value - 0.17 * span if value > LATE * span else value for value in known]
    path_x = [x for end in ends for x in (0.0, float(end), None)]
    path_y = [y for clock in known.index for y in (clock, clock, None)]
    made.add_trace(
        go.Scatter(
            x=path_x, y=path_y, mode="lines", line={"color": FAINT, "width": 1}, hoverinfo="skip",
            name="from zero",
        ),
        row=1, col=1,
    )  # fmt: skip
    made.add_trace(
        go.Scatter(
            x=known.to_numpy(),
            y=list(known.index),
            mode="markers+text",
            marker={"size": 9, "color": [_CLOCK_COLOURS.get(str(clock), GREY) for clock in known.index]},
            text=[duration(value) for value in known],
            textposition=["middle left" if value > LATE * span else "middle right" for value in known],
            textfont={"size": 11},
            hovertemplate="%{y} = %{x:,.3f}<extra></extra>",
            cliponaxis=False,
            name="clocks",
        ),
        row=1, col=1,
    )  # fmt: skip
    absent = clocks[clocks.isna()]
    made.add_trace(
        go.Scatter(
            x=[0.0] * len(absent),
            y=list(absent.index),
            mode="text",
            text=[f"  missing: {shown(row[f'{clock}_why'].iloc[0])}" for clock in absent.index],
            textposition="middle right",
            textfont={"size": 11},
            hoverinfo="skip",
            name="missing clocks",
        ),
        row=1, col=1,
    )  # fmt: skip


def _ticks(rows: pd.DataFrame, lane: str, span: float) -> Any:
    rows = rows.iloc[_apart(rows["t_ms"].to_numpy("float64"), span)]
    colour = CARRIED_COLOURS.get(lane, GREY)
    failed = rows["carries"].astype("str").str.contains("error").to_numpy(bool)
    return go.Scatter(
        x=rows["t_ms"].to_numpy("float64"),
        y=[lane] * len(rows),
        mode="markers",
        marker={
            "symbol": "line-ns",
            "size": 15,
            "line": {"width": 1.5, "color": [VERMILLION if bad else colour for bad in failed]},
        },
        customdata=np.column_stack(
            [
                rows["event"].astype("object"),
                rows["carries"].astype("object"),
                [shown(text, 80) for text in rows["text"]],
            ]
        ),
        hovertemplate="event %{customdata[0]} at %{x:,.3f} ms: "
        "%{customdata[1]}<br>%{customdata[2]}<extra></extra>",
        name=lane,
    )


def _read_ticks(reads: pd.DataFrame, span: float) -> Any:
    reads = reads.iloc[_apart(reads["t_ms"].to_numpy("float64"), span)]
    return go.Scatter(
        x=reads["t_ms"].to_numpy("float64"),
        y=["reads"] * len(reads),
        mode="markers",
        marker={"symbol": "line-ns", "size": 15, "line": {"width": 1.5, "color": GREY}},
        customdata=reads[["read", "bytes", "events"]].to_numpy(),
        hovertemplate="read %{customdata[0]} at %{x:,.3f} ms<br>"
        "%{customdata[1]:,} bytes, %{customdata[2]} events<extra></extra>",
        name="reads",
    )


def _apart(t_ms: Any, span: float) -> Any:
    """Return the positions of marks that can be told apart: all, or the first of each sliver of time."""
    if len(t_ms) <= MAX_MARKS:
        return np.arange(len(t_ms))
    return np.unique(np.floor(t_ms / span * MAX_MARKS), return_index=True)[1]


def _stems(gaps: pd.DataFrame, span: float) -> Any:
    if len(gaps) > MAX_MARKS:
        slivers = np.floor(gaps["t_ms"] / span * MAX_MARKS)
        gaps = gaps.loc[gaps["gap_ms"].groupby(slivers).idxmax()]
    pairs = zip(gaps["t_ms"], gaps["gap_ms"], strict=True)
    at = [(float(t), float(gap)) for t, gap in pairs]
    return go.Scatter(
        x=[x for t, _ in at for x in (t, t, None)],
        y=[y for _, gap in at for y in (0.0, gap, None)],
        mode="lines",
        line={"color": GREY, "width": 1.5},
        hovertemplate="gap of %{y:,.3f} ms before the token at %{x:,.3f} ms<extra></extra>",
        name="gaps",
    )


def _stall_marks(stalls: pd.DataFrame, name: str) -> Any:
    longest = set(stalls["gap_ms"].nlargest(3).index)
    stalls = stalls.loc[stalls["gap_ms"].nlargest(MAX_MARKS).index].sort_values("t_ms", kind="stable")
    return go.Scatter(
        x=stalls["t_ms"].to_numpy("float64"),
        y=stalls["gap_ms"].to_numpy("float64"),
        mode="markers+text",
        marker={"size": 8, "color": VERMILLION},
        text=[duration(gap) if label in longest else "" for label, gap in stalls["gap_ms"].items()],
        textposition="top center",
        textfont={"size": 11},
        customdata=[[int(token), name] for token in stalls["token_event"]],
        hovertemplate="stall of %{y:,.3f} ms before token event %{customdata[0]}<br>%{customdata[1]}"
        "<extra></extra>",
        cliponaxis=False,
        name="stalls",
    )


def _lay_out(made: Any, lanes: Sequence[str], span: float, *, has_gaps: bool) -> None:
    made.update_xaxes(range=[-0.01 * span, 1.03 * span], tickformat=",~f", nticks=6, tickangle=0)
    made.update_xaxes(title_text="ms since the request was complete", row=3, col=1)
    made.update_yaxes(
        categoryorder="array",
        categoryarray=list(schema.CLOCKS),
        range=[len(schema.CLOCKS) - 0.4, -0.6],
        row=1,
        col=1,
    )
    made.update_yaxes(
        categoryorder="array", categoryarray=list(lanes), range=[len(lanes) - 0.4, -0.6], row=2, col=1
    )
    made.update_yaxes(tickformat=",~f", rangemode="tozero", nticks=5, title_text="gap_ms", row=3, col=1)
    for row in (1, 2):
        made.update_yaxes(showgrid=False, row=row, col=1)
    if not has_gaps:
        made.add_annotation(
            text="no gaps: fewer than two token events",
            x=0.5,
            xref="x domain",
            y=0.5,
            yref="y domain",
            row=3,
            col=1,
        )
        made.update_yaxes(range=[0, 1], showticklabels=False, row=3, col=1)
    made.add_shape(type="line", x0=0, x1=0, y0=0, y1=1, yref="paper", xref="x")
    made.update_layout(showlegend=False)
