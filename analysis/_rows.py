"""A measured exchange as a row of `exchanges` and as rows of `streams`: plain values under their names."""

import json
from collections.abc import Iterable

from tokentape.analysis import _schema as schema
from tokentape.analysis._frame import Columns
from tokentape.analysis.measuring._exchange import MeasuredExchange
from tokentape.analysis.measuring._metrics import NS_PER_MS
from tokentape.analysis.measuring._reason import Why
from tokentape.cassette import header
from tokentape.dialects import path_of, requested_model


def exchange_row(each: MeasuredExchange) -> Columns:
    """Return the row of an exchange, with all columns."""
    exchange, answer = each.exchange, each.answer
    request, response, end = exchange.request, exchange.response, exchange.end
    measures = each.streams[0].measures
    headers = response.headers if response else ()
    return {
        **_key(each),
        "started_at": _wall_ns(each),
        "method": request.method if request else None,
        "host": request.host if request else None,
        "port": (request.port or None) if request else None,
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
        "usage_why": _usage_why(each),
        "cached_tokens": answer.cached_tokens,
        "request_bytes": each.request_bytes,
        "request_digest": each.request_digest,
        "connection": request.connection if request else None,
        "connection_reused": _is_reused(each),
        "connect_ms": _connect_ms(each),
        "in_flight": None,  # known once all exchanges are: `_in_flight.py`
        "labels": _labels_text(each),
    }


def stream_rows(each: MeasuredExchange, exchange: Columns) -> Iterable[Columns]:
    """Yield a row for each choice of an exchange, given its row of `exchanges`."""
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


def _usage_why(each: MeasuredExchange) -> Why | None:
    """Return why it is not known how many tokens were billed as output."""
    if each.answer.usage is not None and each.answer.usage.output is not None:
        return None
    why = each.streams[0].measures.why["prompt_tokens"]
    return why or ("no-usage" if each.outcome == "complete" else each.outcome)


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
    known = [t for t in (connect.tcp_start, connect.tcp_end, connect.tls_end) if t is not None]
    # They are the wall clock's, which may have been set back meanwhile.
    if len(known) < 2 or known != sorted(known):
        return None
    return (known[-1] - known[0]) / NS_PER_MS


def _labels_text(each: MeasuredExchange) -> str | None:
    section = each.exchange.section
    return json.dumps(section.labels, ensure_ascii=False, sort_keys=True) if section else None


def _key(each: MeasuredExchange) -> Columns:
    return {
        "cassette": each.cassette,
        "section": each.exchange.section_index,
        "exchange": each.exchange.number,
    }


def _wall_ns(each: MeasuredExchange) -> int | None:
    section = each.exchange.section
    if section is None or not section.wall_ns or each.zero_ns is None:  # a date of 0 is not known
        return None
    wall_ns = section.wall_ns + each.zero_ns
    return wall_ns if 0 <= wall_ns < 2**63 else None
