"""Requests and tokens a second over many streams: what was completed, over the time that all of it took.

The window begins with the first request, answered or not, and ends with the last end. With the definitions
of another tool, what counts and what ends the window are that tool's.
"""

from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis.measuring._definitions import named_definitions
from tokentape.analysis.summarising._grouping import By, group_index, names_of

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

_REQUEST = ["cassette", "section", "exchange"]
COLUMNS = ("requests", "output_tokens", "window_s", "requests_per_s", "output_tokens_per_s")


def throughput_of(streams: pd.DataFrame, definitions: str | None = None) -> dict[str, Any]:
    """Return the `COLUMNS` of some streams; a rate is NaN where there is no time to divide by."""
    tool = named_definitions(definitions)
    is_counted = streams["outcome"] == "complete" if tool is None else streams["ttft_ms"].notna()
    # What came of a stream that was cut came all the same, but other tools do not count it.
    tokens = streams["output_tokens"] if tool is None else streams.loc[is_counted, "output_tokens"]
    window_s = _window_s(streams, "end_ms" if tool is None else tool.ends_with)
    requests = len(streams.loc[is_counted, _REQUEST].drop_duplicates())
    output_tokens = int(tokens.sum())
    return {
        "requests": requests,
        "output_tokens": output_tokens,
        "window_s": window_s,
        "requests_per_s": requests / window_s if window_s > 0 else float("nan"),
        "output_tokens_per_s": output_tokens / window_s if window_s > 0 else float("nan"),
    }


def _window_s(streams: pd.DataFrame, end: str) -> float:
    last_ms = (
        streams[end] if end != "end_ms" else streams["end_ms"].fillna(streams["last_token_ms"]).fillna(0)
    )
    started = streams["started_at"]
    window = (started + pd.to_timedelta(last_ms, unit="ms")).max() - started.min()
    return float(window.total_seconds()) if pd.notna(window) else float("nan")


def throughputs(
    found: "Sequence[tuple[Hashable, pd.DataFrame]]", by: By | None, definitions: str | None
) -> pd.DataFrame:
    """Return a row for each group of streams; its name is the index."""
    rows = [throughput_of(streams, definitions) for _, streams in found]
    names = [name for name, _ in found]
    index = group_index(names, by) if by is not None and names_of(by) else pd.Index(names, name="group")
    return pd.DataFrame({name: [row[name] for row in rows] for name in COLUMNS}, index=index)
