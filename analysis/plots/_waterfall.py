"""A session: what was asked when, what it waited for, how it ended, and how much was going on at once.

The invariant: a bar's parts end where `exchanges` and `streams` say that headers, first token, last token
and end were. A moment that is not known ends no part; the next one does.
"""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.plots._axes import blank, figure, time_axis
from tokentape.analysis.plots._text import count, duration, ids_of, left_out, names_of, shown
from tokentape.analysis.plots._theme import GREY, OUTCOME_COLOURS, OUTCOME_PATTERNS, Theme, rgba

PHASES = {"headers_ms": 0.25, "ttft_ms": 0.5, "last_token_ms": 1.0, "end_ms": 0.35}
"""The moments that end the parts of a bar, with the opacity of the part."""
PHASE_NAMES = {
    "headers_ms": "to headers",
    "ttft_ms": "to first token",
    "last_token_ms": "to last token",
    "end_ms": "to end",
}
LIMIT = 150
FEW = 40
"""So many are drawn, however far apart they are; of more, those that are close enough to be seen."""
MAX_SPREAD = 30
"""How many median durations of a request the drawn ones may take together."""
MAX_STEPS = 4_000
_TITLE = "Requests and how many were in flight"


def waterfall(recording: Recording, *, limit: int = LIMIT, theme: Theme = "any") -> Any:
    """Return a bar for each request, in order of start, and below them how many were in flight.

    Where there are more than `limit` requests, those around the busiest moment are drawn, and the title
    says which. With several choices, the first token is the first of any, and the last the last of any.
    """
    if limit < 1:
        raise ValueError(f"expected at least 1 request to draw, found limit={limit}")
    bars = _bars(recording)
    known = bars[bars["started_at"].notna()].sort_values("started_at", kind="stable")
    missing = Counter({"no time of day": len(bars) - len(known)} if len(known) < len(bars) else {})
    if known.empty:
        return blank(
            _TITLE,
            f"Nothing to show: no request has a known time. {left_out(missing, 'request')}",
            theme=theme,
        )
    in_flight = recording.concurrency()
    first, last = _drawn(known, in_flight, limit)
    drawn = known.iloc[first:last].reset_index(drop=True)
    notes = [
        f"{count(len(known), 'request')}, at most {int(in_flight.max()):,} at a time.",
        f"Drawn: {first + 1:,} to {first + len(drawn):,}, around the busiest moment."
        if len(drawn) < len(known)
        else "",
        left_out(missing, "request"),
    ]
    height = int(np.clip(14 * len(drawn), 80, 560))
    made = figure(
        _TITLE,
        notes,
        theme=theme,
        height=height + 150,
        bottom=104,
        rows=[height, 110],
        spacing=22 / (height + 150),
    )
    _draw_bars(made, drawn)
    _draw_in_flight(made, in_flight, drawn)
    _lay_out(made, drawn)
    return made


def _bars(recording: Recording) -> pd.DataFrame:
    """Return the exchanges with their first and last token, whichever choice had it."""
    choices = recording.streams.groupby(EXCHANGE_KEY, observed=True, sort=False).agg(
        ttft_ms=("ttft_ms", "min"), last_token_ms=("last_token_ms", "max")
    )
    exchanges = recording.exchanges[
        [*EXCHANGE_KEY, "started_at", "outcome", "model", "status", "headers_ms", "first_byte_ms", "end_ms"]
    ]
    return exchanges.merge(choices.reset_index(), on=EXCHANGE_KEY, how="left", validate="m:1")


def _drawn(known: pd.DataFrame, in_flight: "pd.Series[int]", limit: int) -> tuple[int, int]:
    """Return which requests to draw: all, or the nearest to the busiest moment."""
    starts = known["started_at"].to_numpy("datetime64[ns]").astype("int64")
    typical = float((_ends(known) - known["started_at"]).median() / pd.Timedelta(nanoseconds=1))
    first = int((known["started_at"] <= in_flight.idxmax()).sum()) - 1
    last = first + 1
    while last - first < min(len(known), limit):
        before = starts[last - 1] - starts[first - 1] if first else np.inf
        after = starts[last] - starts[first] if last < len(known) else np.inf
        if last - first >= FEW and min(before, after) > MAX_SPREAD * typical:
            break
        first, last = (first - 1, last) if before < after else (first, last + 1)
    return first, last


def _draw_bars(made: Any, drawn: pd.DataFrame) -> None:
    outcomes = drawn["outcome"].astype("str")
    colours = [OUTCOME_COLOURS.get(outcome, GREY) for outcome in outcomes]
    patterns = [OUTCOME_PATTERNS.get(outcome, "") for outcome in outcomes]
    text = names_of(drawn)
    ids = ids_of(drawn)
    hover = [_hover(row) for row in drawn.to_dict("records")]
    before = np.zeros(len(drawn))
    for moment, opacity in PHASES.items():
        at = drawn[moment].to_numpy("float64")
        until = np.where(np.isnan(at), before, np.maximum(at, before))
        made.add_trace(
            go.Bar(
                base=_dates(drawn["started_at"] + pd.to_timedelta(before, unit="ms")),
                x=until - before,
                y=np.arange(len(drawn)),
                orientation="h",
                name=PHASE_NAMES[moment],
                marker={
                    "color": [rgba(colour, opacity) for colour in colours], "line": {"width": 0},
                    "pattern": {"shape": patterns, "size": 5, "solidity": 0.5},
                },
                text=text,
                textposition="none",
                ids=ids,
                customdata=hover,
                hovertemplate="%{text}<br>%{customdata}<extra></extra>",
                showlegend=False,
            ),
            row=1, col=1,
        )  # fmt: skip
        before = until
    for outcome, n in outcomes.value_counts().items():
        shape = OUTCOME_PATTERNS.get(str(outcome), "")
        made.add_trace(
            go.Bar(
                x=[None], y=[None], name=f"{outcome} {n:,}", orientation="h", meta=str(outcome),
                marker={
                    "color": OUTCOME_COLOURS.get(str(outcome), GREY),
                    "pattern": {"shape": shape, "size": 5, "solidity": 0.5},
                },
            ),
            row=1, col=1,
        )  # fmt: skip
    for moment, opacity in PHASES.items():
        made.add_trace(
            go.Bar(
                x=[None], y=[None], name=PHASE_NAMES[moment], orientation="h",
                marker={"color": rgba(GREY, opacity), "line": {"width": 0}},
            ),
            row=1, col=1,
        )  # fmt: skip


def _hover(row: dict[Any, Any]) -> str:
    parts = [shown(row["model"])] if isinstance(row["model"], str) else []
    status = "" if pd.isna(row["status"]) else f", status {int(row['status'])}"
    parts.append(f"{row['outcome']}{status}")
    parts += [f"{name} {duration(row[name])}" for name in PHASES if pd.notna(row[name])]
    return "<br>".join(parts)


def _draw_in_flight(made: Any, in_flight: "pd.Series[int]", drawn: pd.DataFrame) -> None:
    if len(in_flight) > MAX_STEPS:
        index = pd.DatetimeIndex(in_flight.index)
        begin, end = _window(drawn)
        first = max(0, int(index.searchsorted(begin, side="right")) - 1)
        in_flight = in_flight.iloc[first : int(index.searchsorted(end, side="right")) + 1]
    made.add_trace(
        go.Scatter(
            x=_dates(pd.Series(in_flight.index)),
            y=in_flight.to_numpy(),
            mode="lines",
            line={"shape": "hv", "color": GREY, "width": 1.5},
            fill="tozeroy",
            fillcolor="rgba(128, 128, 128, 0.25)",
            hovertemplate="%{y} in flight from %{x|%H:%M:%S.%L} on<extra></extra>",
            showlegend=False,
            name="in flight",
        ),
        row=2, col=1,
    )  # fmt: skip
    made.update_yaxes({"dtick": 1} if in_flight.max() <= 4 else {"nticks": 4}, row=2, col=1)


def _ends(requests: pd.DataFrame) -> Any:
    last = requests[["headers_ms", "first_byte_ms", "last_token_ms", "end_ms"]].max(axis=1).fillna(0)
    return requests["started_at"] + pd.to_timedelta(last, unit="ms")


def _window(drawn: pd.DataFrame) -> tuple[Any, Any]:
    return drawn["started_at"].min(), _ends(drawn).max()


def _lay_out(made: Any, drawn: pd.DataFrame) -> None:
    begin, end = _window(drawn)
    pad = max((end - begin) * 0.01, pd.Timedelta(milliseconds=1))
    made.update_xaxes(time_axis(begin, end), range=_dates(pd.Series([begin - pad, end + pad])))
    made.update_xaxes(title_text="time of day (UTC)", row=2, col=1)
    few = len(drawn) <= 24
    made.update_yaxes(
        range=[len(drawn) - 0.4, -0.6],
        showgrid=False,
        tickmode="array",
        tickvals=list(range(len(drawn))) if few else [],
        ticktext=[f"#{exchange}" for exchange in drawn["exchange"]] if few else [],
        title_text="exchange" if few else "requests, first at the top",
        row=1, col=1,
    )  # fmt: skip
    made.update_yaxes(rangemode="tozero", tickformat=",d", title_text="in flight", row=2, col=1)
    made.update_layout(barmode="overlay", bargap=0.25, showlegend=True)


def _dates(times: "pd.Series[Any]") -> list[str]:
    return [time.tz_convert(None).isoformat() for time in times]
