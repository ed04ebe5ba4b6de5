"""Measured exchanges to the four DataFrames, column by column.

Nothing here runs once a row: the rows of all exchanges are chained into one list a column, and gaps are
differences of whole integer columns. Nanoseconds become milliseconds in the last step and nowhere else.
"""

import json
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from tokentape.analysis import _schema as schema
from tokentape.analysis.measuring._answer import NO_COUNT
from tokentape.analysis.measuring._columns import Bools, Ints, joined, occurring
from tokentape.analysis.measuring._exchange import MeasuredExchange
from tokentape.analysis.measuring._metrics import NS_PER_MS
from tokentape.cassette import header
from tokentape.dialects import NO_CHOICE, TOKEN, name_of, path_of, requested_model

Columns: TypeAlias = dict[str, Any]

# What pandas 3 calls "str"; there is none like it before, and this one has NA for what is missing.
_TEXT = pd.StringDtype("pyarrow", na_value=np.nan) if pd.__version__ >= "3" else pd.StringDtype("pyarrow")
_NONE = np.iinfo(np.int64).min  # where a difference has nothing before it


def exchanges_table(measured: Sequence[MeasuredExchange]) -> pd.DataFrame:
    """Return a row for each exchange."""
    rows = [exchange_row(each) for each in measured]
    return _frame({name: [row[name] for row in rows] for name in schema.EXCHANGES}, schema.EXCHANGES)


def streams_table(measured: Sequence[MeasuredExchange]) -> pd.DataFrame:
    """Return a row for each choice of each exchange; every exchange has one at least."""
    rows = [row for each in measured for row in _stream_rows(each, exchange_row(each))]
    return _frame({name: [row[name] for row in rows] for name in schema.STREAMS}, schema.STREAMS)


def events_table(measured: Sequence[MeasuredExchange]) -> pd.DataFrame:
    """Return a row for each event and choice in it."""
    sizes = [len(each.answer.rows.event) for each in measured]
    rows = [each.answer.rows for each in measured]
    read = _ints(each.read for each in rows)
    choice = _ints(each.choice for each in rows)
    carries = _ints(each.carries for each in rows)
    t_ns = _ints(each.read_ns[each.answer.rows.read] for each in measured)
    is_token = (carries & TOKEN) != 0

    # A stream's token rows stand together in `order`, by time; what is computed there goes back to `at`.
    exchange = np.repeat(np.arange(len(measured)), sizes)
    at = np.flatnonzero(is_token)
    if (choice > 0).any():
        at = at[np.lexsort((choice[at], exchange[at]))]
    same_stream = _same_as_before(exchange[at], choice[at])
    gap = _difference(t_ns[at], same_stream)
    coalesced = same_stream & _same_as_before(read[at])
    timed = np.repeat(np.array([each.timed for each in measured], bool), sizes)
    gap[_without_gaps(measured, sizes)[at]] = _NONE
    coalesced &= timed[at]

    size = len(carries)
    columns = _keys(measured, sizes)
    columns |= {
        "choice": _nullable(choice, choice != NO_CHOICE),
        "event": _ints(each.event for each in rows),
        "read": read,
        "t_ms": np.where(timed, t_ns / NS_PER_MS, np.nan),
        "carries": _carried_names(carries),
        "is_token": is_token,
        "token_event": _nullable(_spread(_ordinals(same_stream), at, size), is_token),
        "gap_ms": _ms(_spread(gap, at, size)),
        "read_gap_ms": _ms(_spread(np.where(coalesced, _NONE, gap), at, size)),
        "coalesced": _spread(coalesced, at, size) == 1,
        "tokens": _billed_tokens(measured, at, same_stream, size),
        "text": list(chain.from_iterable(each.text for each in rows)),
    }
    return _frame(columns, schema.EVENTS)


def reads_table(measured: Sequence[MeasuredExchange]) -> pd.DataFrame:
    """Return a row for each piece of a body as it arrived."""
    sizes = [len(each.read_ns) for each in measured]
    starts = np.cumsum([0, *sizes])[:-1]
    t_ns = _ints(each.read_ns for each in measured)
    rows = [each.answer.rows for each in measured]
    read = _ints(each.read for each in rows) + np.repeat(starts, [len(each.read) for each in rows])
    # An event with several choices has several rows, and is still one event of its read.
    is_first_row = ~_same_as_before(_ints(each.event for each in rows), read)
    events = np.bincount(read[is_first_row], minlength=len(t_ns))
    is_token = np.zeros(len(t_ns), np.bool_)
    is_token[read[(_ints(each.carries for each in rows) & TOKEN) != 0]] = True
    at = np.flatnonzero(is_token)
    exchange = np.repeat(np.arange(len(measured)), sizes)[at]
    gap = _difference(t_ns[at], _same_as_before(exchange))
    gap[_without_gaps(measured, sizes)[at]] = _NONE
    timed = np.repeat(np.array([each.timed for each in measured], bool), sizes)
    columns = _keys(measured, sizes)
    columns |= {
        "read": np.arange(len(t_ns)) - np.repeat(starts, sizes),
        "t_ms": np.where(timed, t_ns / NS_PER_MS, np.nan),
        "bytes": _ints(each.read_bytes for each in measured),
        "decoded_bytes": _ints(each.answer.decoded_bytes for each in measured),
        "events": events,
        "is_token": is_token,
        "read_gap_ms": _ms(_spread(gap, at, len(t_ns))),
    }
    return _frame(columns, schema.READS)


def exchange_row(each: MeasuredExchange) -> Columns:
    exchange, answer = each.exchange, each.answer
    request, response, end = exchange.request, exchange.response, exchange.end
    measures = each.streams[0].measures
    headers = response.headers if response else ()
    return {
        **_key(each),
        "started_at": _wall_ns(each),
        "method": request.method if request else None,
        "host": request.host if request else None,
        "path": path_of(request) if request else None,
        "status": response.status if response else None,
        "content_type": header(headers, b"content-type") or None,
        "content_encoding": header(headers, b"content-encoding") or None,
        "dialect": answer.dialect.name if answer.dialect else None,
        "model_requested": requested_model(request) if request else None,
        "model": answer.model,
        "outcome": each.outcome,
        "error": answer.error,
        "end_reason": end.reason if end else None,
        "end_detail": end.detail if end else None,
        **{name: measures.numbers[name] for name in ("headers_ms", "first_byte_ms", "end_ms")},
        **{f"{name}_why": measures.why[name] for name in ("headers_ms", "first_byte_ms", "end_ms")},
        "streams": len(each.streams),
        "events": answer.events,
        "comments": answer.comments,
        "unparsed": answer.unparsed,
        "reads": len(each.read_ns),
        "bytes": int(each.read_bytes.sum()),
        "lost_chunks": each.lost_chunks,
        "prompt_tokens": answer.usage.prompt if answer.usage else None,
        "output_tokens": answer.usage.output if answer.usage else None,
        "reasoning_tokens": answer.usage.reasoning if answer.usage else None,
        "usage_why": None if answer.usage else measures.why["prompt_tokens"] or "no-usage",
        "cached_tokens": answer.cached_tokens,
        "request_bytes": each.request_bytes,
        "request_digest": each.request_digest,
        "connection": request.connection if request else None,
        "connection_reused": _is_reused(each),
        "connect_ms": _connect_ms(each),
        "in_flight": None,  # known once all exchanges are: `_in_flight.py`
        "labels": _labels_text(each),
    }


def _stream_rows(each: MeasuredExchange, exchange: Columns) -> Iterable[Columns]:
    shared = {name: exchange[name] for name in schema.STREAMS if name in exchange}
    for measured in each.streams:
        stream, measures = measured.stream, measured.measures
        yield {
            **shared,
            "choice": stream.choice,
            "outcome": measured.outcome,
            "finish_reason": stream.finish_reason,
            **measures.numbers,
            **{f"{name}_why": reason for name, reason in measures.why.items()},
            "tokens_from": stream.tokens_from,
            "hidden_tokens": stream.hidden_tokens,
            "token_events": len(stream.token_ns),
            "text_chars": stream.text_chars,
        }


def _is_reused(each: MeasuredExchange) -> bool | None:
    """Return whether the connection to the upstream was there before; other formats do not say."""
    response = each.exchange.response
    if response is None or not each.timed or each.outcome == "damaged":
        return None
    return response.connect is None


def _connect_ms(each: MeasuredExchange) -> float | None:
    connect = each.exchange.response.connect if each.exchange.response else None
    if connect is None or connect.tcp_start is None or each.outcome == "damaged":
        return None
    end = connect.tcp_end if connect.tls_end is None else connect.tls_end
    return None if end is None else (end - connect.tcp_start) / NS_PER_MS


def _labels_text(each: MeasuredExchange) -> str | None:
    section = each.exchange.section
    return json.dumps(section.labels, ensure_ascii=False, sort_keys=True) if section else None


def _key(each: MeasuredExchange) -> Columns:
    return {
        "cassette": each.cassette,
        "section": each.exchange.section_index,
        "exchange": each.exchange.number,
    }


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


def _wall_ns(each: MeasuredExchange) -> int | None:
    section = each.exchange.section
    if section is None or not section.wall_ns or each.zero_ns is None:  # a date of 0 is not known
        return None
    wall_ns = section.wall_ns + each.zero_ns
    return wall_ns if 0 <= wall_ns < 2**63 else None


def _billed_tokens(
    measured: Sequence[MeasuredExchange], at: Ints, same_stream: Bools, size: int
) -> "pd.arrays.IntegerArray":
    """Return the tokens of each event, from the differences of a usage that comes with every one."""
    per_chunk = np.repeat(
        np.array([each.streams[0].stream.tokens_from == "usage-per-chunk" for each in measured], bool),
        [len(each.answer.rows.event) for each in measured],
    )
    billed = _ints(each.answer.rows.billed for each in measured)[at]
    # What was reasoned and never sent is billed with the first event, and is no part of it.
    hidden = np.repeat(
        np.array([each.streams[0].stream.hidden_tokens for each in measured], np.int64),
        [len(each.answer.rows.event) for each in measured],
    )[at]
    tokens = np.where(same_stream, np.diff(billed, prepend=0), billed - hidden)
    known = per_chunk[at] & (billed != NO_COUNT) & (tokens >= 0)
    return _nullable(_spread(tokens, at, size), _spread(known, at, size) == 1)


def _carried_names(carries: Ints) -> "pd.Categorical[str]":
    masks = occurring(carries)
    codes = np.zeros(max(masks, default=0) + 1, np.int16)
    codes[masks] = np.arange(len(masks))
    names = pd.Index([name_of(mask) for mask in masks], dtype="str")
    return pd.Categorical.from_codes(codes[carries], categories=names)


def _ints(columns: Iterable[Ints]) -> Ints:
    return joined(list(columns))


def _same_as_before(*columns: Ints) -> Bools:
    """Return, for each row, whether it agrees with the one before in all columns."""
    same: Bools = np.ones(len(columns[0]), np.bool_)
    same[:1] = False
    for column in columns:
        same[1:] &= column[1:] == column[:-1]
    return same


def _difference(values: Ints, same: Bools) -> Ints:
    return np.where(same, np.diff(values, prepend=0), _NONE)


def _ordinals(same_stream: Bools) -> Ints:
    """Return each row's place in its run, from 0."""
    places = np.arange(len(same_stream))
    starts = np.maximum.accumulate(np.where(same_stream, 0, places)) if len(places) else places
    return places - starts


def _spread(values: "Ints | Bools", at: Ints, size: int) -> Ints:
    spread = np.full(size, _NONE)
    spread[at] = values
    return spread


def _ms(ns: Ints) -> "np.ndarray[Any, np.dtype[np.float64]]":
    return np.where(ns == _NONE, np.nan, ns / NS_PER_MS)


def _nullable(values: Ints, known: Bools) -> "pd.arrays.IntegerArray":
    return pd.arrays.IntegerArray(np.where(known, values, 0), ~known)


def empty(types: dict[str, str]) -> pd.DataFrame:
    """Return a table without rows, with the columns and types of any other."""
    return _frame({name: [] for name in types}, types)


def _frame(columns: Columns, types: dict[str, str]) -> pd.DataFrame:
    # Without a copy, since nobody else holds these columns: that would be the most memory of a load.
    return pd.DataFrame({name: _typed(columns[name], dtype) for name, dtype in types.items()}, copy=False)


def _typed(values: Any, dtype: str) -> "pd.Series[Any]":
    match dtype:
        case schema.TIME:
            missing = pd.NaT.value if hasattr(pd.NaT, "value") else _NONE
            ns = np.array([missing if value is None else value for value in values], np.int64)
            return pd.Series(pd.to_datetime(ns, unit="ns", utc=True)).astype(schema.TIME)
        case schema.TEXT:
            # Through Arrow, since pandas looks at each string of a list twice.
            return pd.Series(pd.array(pa.array(values, pa.large_string()), dtype=_TEXT), copy=False)
        case schema.CATEGORY:
            found: pd.Series[Any] = pd.Series(values, dtype=dtype)
            # Where there is no name, pandas cannot tell that names are text.
            if not len(found.cat.categories):
                found = pd.Series(values, dtype=pd.CategoricalDtype(pd.Index([], dtype=_TEXT)))
            return found
        case _:
            return pd.Series(values, dtype=dtype, copy=False)
