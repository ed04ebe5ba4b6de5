"""The time that many streams took together: what goodput and throughput are divided by."""

import pandas as pd


def window_s(streams: pd.DataFrame, ends_with: str = "end_ms") -> float:
    """Return the seconds from the first request to the last end, NaN if no stream has a time of day.

    `ends_with` is the column of `streams` that has the end. What has no `end_ms` ends with its last token, or
    with its request.
    """
    ends_ms = streams[ends_with]
    if ends_with == "end_ms":
        ends_ms = ends_ms.fillna(streams["last_token_ms"]).fillna(0)
    ends = streams["started_at"] + pd.to_timedelta(ends_ms, unit="ms")
    window = ends.max() - streams["started_at"].min()
    return float(window.total_seconds()) if pd.notna(window) else float("nan")
