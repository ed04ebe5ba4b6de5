"""The slowest streams, each with the times of its tokens as a strip.

The invariant: for each order and each view, the rows that a page holds begin with the slowest there are,
up to a stated number; a page cannot sort or filter its way to a false first place.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.report._sparkline import sparkline
from tokentape.analysis.report._text import number, shown
from tokentape.analysis.report._views import NO_VALUE, Mask, Parts

if TYPE_CHECKING:
    from tokentape.analysis._recording import Recording

ORDERS = {"ttft_ms": "first token", "gap_max_ms": "largest gap", "last_token_ms": "last token"}
DEFAULT_ORDER = "last_token_ms"
OF_ALL = 20
OF_A_VIEW = 5
MOST_ROWS = 60
"""Of one recording. Views are served in turn, so it is the rarest values that are left without rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowStream:
    """A row: what it says, its values to sort by, its views, and what names it in its recording."""

    side: str
    key: tuple[str, int, int, int]
    started: str
    place: str
    """The exchange's number, and the section and the file where there are several."""
    model: str
    outcome: str
    values: dict[str, float | None]
    tokens: str
    views: tuple[int, ...]
    strip: str

    @property
    def sorted_by(self) -> dict[str, str]:
        """The values as attributes have them; what is missing sorts last."""
        return {name: "" if value is None else repr(value) for name, value in self.values.items()}

    @property
    def slowness(self) -> float:
        """The value by which rows are sorted first."""
        return self.values[DEFAULT_ORDER] or 0.0


def chosen(streams: "pd.DataFrame", masks: "Sequence[Mask]") -> list[int]:
    """Return the positions of the rows that a page needs, in the order of the streams."""
    orders = [streams[name].to_numpy("float64") for name in ORDERS]
    found: dict[int, None] = {}
    for view, mask in enumerate(masks):
        for values in orders:
            (at,) = np.nonzero(mask & ~np.isnan(values))
            slowest = at[np.argsort(-values[at], kind="stable")][: OF_A_VIEW if view else OF_ALL]
            found |= dict.fromkeys(slowest.tolist())
    return sorted(list(found)[:MOST_ROWS])


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the name of a stream needs beside a time and a number, to be told from all others."""

    days: bool
    sections: bool
    cassettes: bool

    @classmethod
    def of(cls, tables: "Sequence[pd.DataFrame]") -> "Naming":
        """Return what is needed where these are all streams there are."""
        began = [day for each in tables for day in each["started_at"].dropna().dt.floor("D").unique()]
        return cls(
            days=len(set(began)) > 1,
            sections=any(len(each["section"].unique()) > 1 for each in tables),
            cassettes=any(len(each["cassette"].unique()) > 1 for each in tables),
        )

    def started(self, row: "dict[Any, Any]") -> str:
        """Return when it began, in UTC."""
        at = row["started_at"]
        return "-" if pd.isna(at) else f"{at:%Y-%m-%d %H:%M:%S}" if self.days else f"{at:%H:%M:%S}"

    def place(self, row: "dict[Any, Any]") -> str:
        """Return which exchange it is."""
        choice = f".{row['choice']}" if row["choice"] else ""
        name = re.split(r"[/\\]", str(row["cassette"]))[-1]
        file = f"{shown(name, 40)} " if self.cassettes else ""
        section = f"section {row['section']} " if self.sections else ""
        return f"{file}{section}#{row['exchange']}{choice}"


def slow_streams(
    side: str,
    recording: "Recording",
    masks: "Sequence[Mask]",
    at: Sequence[int],
    scale_ms: float,
    naming: Naming,
) -> list[SlowStream]:
    """Return the rows of these streams; `recording` has no others, and `masks` are of all."""
    tokens = _tokens(recording)
    found = []
    for place, row in zip(at, recording.streams.to_dict("records"), strict=True):
        key = (str(row["cassette"]), *(int(row[name]) for name in STREAM_KEY[1:]))
        values = {name: _float(row[name]) for name in ORDERS}
        words = f"first token {number(values['ttft_ms'])} ms, last token {number(values['last_token_ms'])} ms"
        found.append(
            SlowStream(
                side=side,
                key=key,  # type: ignore[arg-type]  # three integers after the file
                started=naming.started(row),
                place=naming.place(row),
                model=shown(row["model"] if isinstance(row["model"], str) else NO_VALUE, 60),
                outcome=str(row["outcome"]),
                values=values,
                tokens=number(_float(row["output_tokens"]), is_count=True),
                views=tuple(view for view, mask in enumerate(masks) if mask[place]),
                strip=sparkline(tokens.get(key, []), values["ttft_ms"], scale_ms, words),
            )
        )
    return found


def only(parts: Parts, streams: "pd.DataFrame", at: Sequence[int]) -> "Recording":
    """Return the recording of these streams alone."""
    mask = np.zeros(len(streams), bool)
    mask[list(at)] = True
    return parts.of(mask)


def _tokens(recording: "Recording") -> dict[tuple[Any, ...], list[tuple[float, bool]]]:
    """Return, for each stream, when its tokens came and whether they were reasoning."""
    events = recording.events
    tokens = events.loc[events["is_token"] & events["t_ms"].notna(), [*STREAM_KEY, "t_ms", "carries"]]
    found: dict[tuple[Any, ...], list[tuple[float, bool]]] = {}
    columns = (tokens[name].astype("str" if name == "cassette" else "int64").tolist() for name in STREAM_KEY)
    carries = tokens["carries"].astype("str").tolist()
    for *key, t, carried in zip(*columns, tokens["t_ms"].tolist(), carries, strict=True):
        found.setdefault(tuple(key), []).append((t, "content" not in carried and "reasoning" in carried))
    return found


def _float(value: Any) -> float | None:
    return None if value is None or value != value or str(value) == "<NA>" else float(value)  # noqa: PLR0124  (NaN)
