"""How many requests were under way at once, from the times at which each began and ended.

A request is under way from the moment at which it was complete until its end. One without a recorded end
(the recorder was stopped or killed) is under way until the last moment that is known of it: its last read, or
else its response. Requests of which the time of day is not known are under way at no moment.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from tokentape.analysis._recording import Recording

_KEY = ["cassette", "section", "exchange"]
_NS_PER_MS = 1_000_000

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


def concurrency(exchanges: pd.DataFrame, reads: pd.DataFrame) -> "pd.Series[int]":
    """Return how many requests were under way from each moment on at which that changed."""
    known, starts, ends = _spans(exchanges, reads)
    times = exchanges["started_at"]
    moments = pd.DatetimeIndex(pd.to_datetime(np.concatenate([starts, ends]), utc=True)).astype(times.dtype)
    changes = pd.Series(np.repeat([1, -1], known.sum()), index=moments).groupby(level=0).sum().sort_index()
    return changes.cumsum().astype("int64").rename("in_flight").rename_axis("at")


def with_in_flight(recording: "Recording") -> "Recording":
    """Return the recording with the column `in_flight` of `exchanges` and `streams`.

    It has the requests under way when each was sent, itself too, of all that the recording has.
    """
    exchanges = recording.exchanges
    known, starts, ends = _spans(exchanges, recording.reads)
    begun = np.searchsorted(np.sort(starts), starts, side="right")
    over = np.searchsorted(np.sort(ends), starts, side="right")
    counts = np.zeros(len(exchanges), np.int64)
    counts[known] = begun - over + (ends <= starts)  # also one that ended at once is under way when it starts
    column = pd.arrays.IntegerArray(counts, ~known)
    # `streams` has the rows of each exchange together, in the order of `exchanges`.
    of_stream = np.repeat(np.arange(len(exchanges)), exchanges["streams"].to_numpy())
    return replace(
        recording,
        exchanges=exchanges.assign(in_flight=column),
        streams=recording.streams.assign(in_flight=column[of_stream]),
    )


def _spans(
    exchanges: pd.DataFrame, reads: pd.DataFrame
) -> "tuple[np.ndarray[Any, np.dtype[np.bool_]], Ints, Ints]":
    """Return of which requests the start is known, and the start and end of these, as Unix ns."""
    known = exchanges["started_at"].notna().to_numpy()
    last_ms = exchanges["end_ms"].astype("float64")
    if last_ms[known].isna().any():
        last_ms = last_ms.fillna(_last_read_ms(exchanges[last_ms.isna()], reads))
    last_ms = last_ms.fillna(exchanges["first_byte_ms"]).fillna(exchanges["headers_ms"]).fillna(0)
    starts = exchanges["started_at"][known].dt.as_unit("ns").astype("int64").to_numpy()
    ends = starts + np.rint(last_ms[known].to_numpy() * _NS_PER_MS).astype(np.int64)
    return known, starts, ends


def _last_read_ms(exchanges: pd.DataFrame, reads: pd.DataFrame) -> "pd.Series[float]":
    """Return when the last read of each of these exchanges came, by the index of the exchange."""
    keys = exchanges[_KEY].assign(at=exchanges.index)
    last = keys.merge(reads[[*_KEY, "t_ms"]], on=_KEY, how="left").groupby("at")["t_ms"].max()
    return last.reindex(exchanges.index)
