"""How many requests were under way at once, from the times at which each began and ended.

A request is under way from the moment at which it was complete until its end. One without a recorded end
(the recorder was stopped or killed) is under way until the last moment that is known of it: its last read, or
else its response. Requests of which the time of day is not known are under way at no moment.

How many were under way when a request was sent depends on all requests, also on those of other files. So the
times of all are needed first, and these are little: `Spans`. The invariant: what is counted for some requests
among all does not depend on how all were divided.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY

_NS_PER_MS = 1_000_000
_NEVER = np.iinfo(np.int64).min

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spans:
    """When each of some requests was under way (Unix ns), and how many streams it has; 20 bytes each.

    `starts` and `ends` are `_NEVER` where the time of day is not known.
    """

    starts: Ints
    ends: Ints
    streams: "np.ndarray[Any, np.dtype[np.int32]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When any of all requests began, and when any ended (Unix ns), each in order of time."""

    starts: Ints
    ends: Ints


def concurrency(exchanges: pd.DataFrame, reads: pd.DataFrame) -> "pd.Series[int]":
    """Return how many requests were under way from the first one's start, and from each change, on.

    The index has these moments, UTC. Where one ends as another begins nothing changes, nor does it through
    one that ends as it begins. It is empty where no request's time of day is known.
    """
    among = moments_of([spans_of(exchanges, reads)])
    at = pd.to_datetime(np.concatenate([among.starts, among.ends]), utc=True)
    moments = pd.DatetimeIndex(at).astype(exchanges["started_at"].dtype)
    changes = pd.Series(np.repeat([1, -1], len(among.starts)), index=moments)
    at_once = changes.groupby(level=0).sum().sort_index()
    is_change = at_once.to_numpy() != 0
    is_change[:1] = True
    found: pd.Series[int] = at_once[is_change].cumsum()
    return found.astype("int64").rename("in_flight").rename_axis("at")


def in_flight(spans: Spans, among: Moments) -> "tuple[pd.arrays.IntegerArray, pd.arrays.IntegerArray]":
    """Return how many were under way when each request was sent: for its exchange, and for its streams.

    `streams` has the rows of each exchange together, in the order of `exchanges`.
    """
    known = spans.starts != _NEVER
    begun = np.searchsorted(among.starts, spans.starts, side="right")
    over = np.searchsorted(among.ends, spans.starts, side="right")
    # Also one that ended at once is under way when it starts.
    counts = np.where(known, begun - over + (spans.ends <= spans.starts), 0).astype(np.int64)
    column = pd.arrays.IntegerArray(counts, ~known)
    return column, column[np.repeat(np.arange(len(counts)), spans.streams)]


def moments_of(parts: Iterable[Spans]) -> Moments:
    """Return when the requests of all parts began and ended."""
    found = list(parts)
    starts, ends = (
        np.concatenate([np.zeros(0, np.int64), *each])
        for each in ([part.starts for part in found], [part.ends for part in found])
    )
    return Moments(starts=np.sort(starts[starts != _NEVER]), ends=np.sort(ends[ends != _NEVER]))


def spans_of(exchanges: pd.DataFrame, reads: pd.DataFrame) -> Spans:
    """Return when each request was under way; of `reads` the last of each without an end is looked at."""
    known = exchanges["started_at"].notna().to_numpy()
    last_ms = exchanges["end_ms"].astype("float64")
    if last_ms[known].isna().any():
        last_ms = last_ms.fillna(_last_read_ms(exchanges[last_ms.isna()], reads))
    last_ms = last_ms.fillna(exchanges["first_byte_ms"]).fillna(exchanges["headers_ms"]).fillna(0)
    starts, ends = (np.full(len(exchanges), _NEVER) for _ in range(2))
    starts[known] = exchanges["started_at"][known].dt.as_unit("ns").astype("int64").to_numpy()
    ends[known] = starts[known] + np.rint(last_ms[known].to_numpy() * _NS_PER_MS).astype(np.int64)
    return Spans(starts=starts, ends=ends, streams=exchanges["streams"].to_numpy(np.int32))


def _last_read_ms(exchanges: pd.DataFrame, reads: pd.DataFrame) -> "pd.Series[float]":
    """Return when the last read of each of these exchanges came, by the index of the exchange."""
    keys = exchanges[EXCHANGE_KEY].assign(at=exchanges.index)
    last = keys.merge(reads[[*EXCHANGE_KEY, "t_ms"]], on=EXCHANGE_KEY, how="left").groupby("at")["t_ms"].max()
    return last.reindex(exchanges.index)
