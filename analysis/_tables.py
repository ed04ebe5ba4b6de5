"""Measured exchanges to the four DataFrames, column by column.

Nothing here runs once an event: the rows of all exchanges are chained into one list a column, and gaps are
differences of whole integer columns. Nanoseconds become milliseconds in the last step and nowhere else.

Each table is made of the columns that `types` names, all of them if it is not said: to make pandas' column is
most of what a few rows cost.
"""

from collections.abc import Mapping, Sequence
from itertools import chain

import numpy as np
import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._frame import Columns, frame
from tokentape.analysis._rows import stream_rows
from tokentape.analysis._runs import (
    NONE,
    chained,
    difference,
    ms,
    nullable,
    ordinals,
    same_as_before,
    spread_out,
)
from tokentape.analysis.measuring._answer import NO_COUNT
from tokentape.analysis.measuring._columns import Bools, Ints, occurring
from tokentape.analysis.measuring._exchange import MeasuredExchange
from tokentape.analysis.measuring._metrics import NS_PER_MS
from tokentape.analysis.measuring._token_stream import TokenStream
from tokentape.dialects import NO_CHOICE, TOKEN, name_of


def exchanges_table(rows: Sequence[Columns], types: Mapping[str, str] = schema.EXCHANGES) -> pd.DataFrame:
    """Return the rows of exchanges as their table."""
    return frame({name: [row[name] for row in rows] for name in types}, types)


def streams_table(
    measured: Sequence[MeasuredExchange],
    exchanges: Sequence[Columns],
    types: Mapping[str, str] = schema.STREAMS,
) -> pd.DataFrame:
    """Return a row for each choice of each exchange, which has one at least; `exchanges` are their rows."""
    rows = [row for pair in zip(measured, exchanges, strict=True) for row in stream_rows(*pair)]
    return frame({name: [row[name] for row in rows] for name in types}, types)


def events_table(
    measured: Sequence[MeasuredExchange], types: Mapping[str, str] = schema.EVENTS
) -> pd.DataFrame:
    """Return a row for each event and choice in it."""
    sizes = [len(each.answer.rows.event) for each in measured]
    rows = [each.answer.rows for each in measured]
    read = chained(each.read for each in rows)
    choice = chained(each.choice for each in rows)
    carries = chained(each.carries for each in rows)
    t_ns = chained(each.read_ns[each.answer.rows.read] for each in measured)
    is_token = (carries & TOKEN) != 0

    # A stream's token rows stand together in `order`, by time; what is computed there goes back to `at`.
    exchange = np.repeat(np.arange(len(measured)), sizes)
    at = np.flatnonzero(is_token)
    if (choice > 0).any():
        at = at[np.lexsort((choice[at], exchange[at]))]
    same_stream = same_as_before(exchange[at], choice[at])
    gap = difference(t_ns[at], same_stream)
    coalesced = same_stream & same_as_before(read[at])
    timed = np.repeat(np.array([each.timed for each in measured], bool), sizes)
    gap[_without_gaps(measured, sizes)[at]] = NONE
    coalesced &= timed[at]

    size = len(carries)
    columns = _keys(measured, sizes)
    columns |= {
        "choice": nullable(choice, choice != NO_CHOICE),
        "event": chained(each.event for each in rows),
        "read": read,
        "t_ms": np.where(timed, t_ns / NS_PER_MS, np.nan),
        "carries": _carried_names(carries),
        "is_token": is_token,
        "token_event": nullable(spread_out(ordinals(same_stream), at, size), is_token),
        "gap_ms": ms(spread_out(gap, at, size)),
        "read_gap_ms": ms(spread_out(np.where(coalesced | (gap == 0), NONE, gap), at, size)),
        "coalesced": spread_out(coalesced, at, size) == 1,
        "tokens": _billed_tokens(measured, at, same_stream, size),
        "text": list(chain.from_iterable(each.text for each in rows)),
    }
    return frame(columns, types)


def reads_table(
    measured: Sequence[MeasuredExchange], types: Mapping[str, str] = schema.READS
) -> pd.DataFrame:
    """Return a row for each piece of a body as it arrived."""
    sizes = [len(each.read_ns) for each in measured]
    starts = np.cumsum([0, *sizes])[:-1]
    t_ns = chained(each.read_ns for each in measured)
    rows = [each.answer.rows for each in measured]
    read = chained(each.read for each in rows) + np.repeat(starts, [len(each.read) for each in rows])
    # An event with several choices has several rows, and is still one event of its read.
    is_first_row = ~same_as_before(chained(each.event for each in rows), read)
    events = np.bincount(read[is_first_row], minlength=len(t_ns))
    is_token = np.zeros(len(t_ns), np.bool_)
    is_token[read[(chained(each.carries for each in rows) & TOKEN) != 0]] = True
    at = np.flatnonzero(is_token)
    exchange = np.repeat(np.arange(len(measured)), sizes)[at]
    gap = difference(t_ns[at], same_as_before(exchange))
    gap[_without_gaps(measured, sizes)[at]] = NONE
    gap[gap == 0] = NONE  # the clock stood still: it cannot tell the two apart
    timed = np.repeat(np.array([each.timed for each in measured], bool), sizes)
    columns = _keys(measured, sizes)
    columns |= {
        "read": np.arange(len(t_ns)) - np.repeat(starts, sizes),
        "t_ms": np.where(timed, t_ns / NS_PER_MS, np.nan),
        "bytes": chained(each.read_bytes for each in measured),
        "decoded_bytes": chained(each.answer.decoded_bytes for each in measured),
        "events": events,
        "is_token": is_token,
        "read_gap_ms": ms(spread_out(gap, at, len(t_ns))),
    }
    return frame(columns, types)


def _keys(measured: Sequence[MeasuredExchange], sizes: Sequence[int]) -> Columns:
    numbers: dict[str, int] = {}
    codes = np.array([numbers.setdefault(each.cassette, len(numbers)) for each in measured], np.int64)
    return {
        "cassette": pd.Categorical.from_codes(
            np.repeat(codes, sizes), categories=pd.Index(list(numbers), dtype="str")
        ),
        "section": np.repeat(np.array([each.exchange.section_index for each in measured], np.int64), sizes),
        "exchange": np.repeat(np.array([each.exchange.number for each in measured], np.int64), sizes),
    }


def _without_gaps(measured: Sequence[MeasuredExchange], sizes: Sequence[int]) -> Bools:
    """Return, for each row, whether the time to the row before it cannot be known."""
    unknown = [each.unmeasured == "damaged" or not each.timed for each in measured]
    return np.repeat(np.array(unknown, bool), sizes)


def _billed_tokens(
    measured: Sequence[MeasuredExchange], at: Ints, same_stream: Bools, size: int
) -> "pd.arrays.IntegerArray":
    """Return the tokens of each event, from the differences of a usage that comes with every one."""
    per_chunk = np.repeat(
        np.array([_is_billed_per_event(each.streams[0].stream) for each in measured], bool),
        [len(each.answer.rows.event) for each in measured],
    )
    billed = chained(each.answer.rows.billed for each in measured)[at]
    # What was reasoned and never sent is billed with the first event, and is no part of it.
    hidden = np.repeat(
        np.array([each.streams[0].stream.hidden_tokens for each in measured], np.int64),
        [len(each.answer.rows.event) for each in measured],
    )[at]
    tokens = np.where(same_stream, np.diff(billed, prepend=0), billed - hidden)
    known = per_chunk[at] & (billed != NO_COUNT) & (tokens >= 0)
    return nullable(spread_out(tokens, at, size), spread_out(known, at, size) == 1)


def _is_billed_per_event(stream: TokenStream) -> bool:
    """Whether what an event adds to the bill is its own: not if it shows a summary of what is billed."""
    return stream.tokens_from == "usage-per-chunk" and not stream.withheld


def _carried_names(carries: Ints) -> "pd.Categorical[str]":
    masks = occurring(carries)
    codes = np.zeros(max(masks, default=0) + 1, np.int16)
    codes[masks] = np.arange(len(masks))
    names = pd.Index([name_of(mask) for mask in masks], dtype="str")
    return pd.Categorical.from_codes(codes[carries], categories=names)
