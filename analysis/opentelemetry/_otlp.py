"""A recording as OTLP/JSON: histograms of metrics, or a span for each request, under OpenTelemetry's names.

The encoding is proto3's JSON with OTLP's rules (opentelemetry-proto, docs/specification.md, JSON Protobuf
Encoding): keys in lowerCamelCase, 64-bit integers as strings, enums as numbers, ids in hex. Nothing is
sent anywhere. The invariant: counts, sums, least and greatest are exact, of what the tables have; what is
not known is in no histogram. Exchanges of no dialect that generates are left out.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.opentelemetry import _otel as otel
from tokentape.analysis.opentelemetry._otel_attributes import UNKNOWN_END, attributes_of, dialect_of, error_of

Json: TypeAlias = dict[str, Any]
_Key: TypeAlias = tuple[tuple[str, str | int], ...]

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
BOUNDS: dict[str, tuple[float, ...]] = {
    otel.TTFT: (
        0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
    ),
    otel.TPOT: (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5),
    otel.REQUEST_DURATION: _SECONDS,
    otel.OPERATION_DURATION: _SECONDS,
    otel.TIME_TO_FIRST_CHUNK: _SECONDS,
    otel.TIME_PER_OUTPUT_CHUNK: _SECONDS,
    otel.TOKEN_USAGE: tuple(4.0**power for power in range(14)),
}  # fmt: skip
"""The buckets that the conventions ask for."""
_DELTA = 1  # AGGREGATION_TEMPORALITY_DELTA: of the time recorded, and of nothing before
_CLIENT, _ERROR = 3, 2  # SPAN_KIND_CLIENT, STATUS_CODE_ERROR


def otlp_metrics(recording: Recording) -> Json:
    """Return an ExportMetricsServiceRequest with a histogram for each metric and set of attributes."""
    found: dict[str, dict[_Key, list[float]]] = {name: defaultdict(list) for name in BOUNDS}
    for name, attributes, values in _measured(recording):
        if values:
            found[name][tuple(sorted(attributes.items()))] += values
    start, end = _window(recording.exchanges)
    metrics = [
        {
            "name": name,
            "unit": "{token}" if name == otel.TOKEN_USAGE else "s",
            "histogram": {
                "aggregationTemporality": _DELTA,
                "dataPoints": [
                    _point(BOUNDS[name], key, values, start, end) for key, values in points.items()
                ],
            },
        }
        for name, points in found.items()
        if points
    ]
    scoped = {"scope": _scope(), "metrics": metrics, "schemaUrl": otel.SCHEMA_URL}
    return {"resourceMetrics": [{"resource": _resource(), "scopeMetrics": [scoped]}] if metrics else []}


def otlp_traces(recording: Recording) -> Json:
    """Return an ExportTraceServiceRequest with a span for each request of which start and end are known."""
    streams = dict(list(recording.streams.groupby(EXCHANGE_KEY, observed=True, sort=False)))
    spans: list[Json] = []
    for row in _rows(recording.exchanges):
        dialect = dialect_of(row)
        if dialect is None or row["outcome"] in UNKNOWN_END or pd.isna(row["started_at"]):
            continue
        if pd.isna(row["end_ms"]):
            continue
        spans.append(_span(row, dialect, streams[tuple(row[name] for name in EXCHANGE_KEY)]))
    scoped = {"scope": _scope(), "spans": spans, "schemaUrl": otel.SCHEMA_URL}
    return {"resourceSpans": [{"resource": _resource(), "scopeSpans": [scoped]}] if spans else []}


def _measured(recording: Recording) -> Iterator[tuple[str, dict[str, str | int], list[float]]]:
    """Yield metric, attributes and values of each exchange; a request with several choices is one request."""
    streams = dict(list(recording.streams.groupby(EXCHANGE_KEY, observed=True, sort=False)))
    events = recording.events.drop_duplicates([*EXCHANGE_KEY, "event"])
    gaps = events.assign(gap=events.groupby(EXCHANGE_KEY, observed=True)["t_ms"].diff())
    chunks = dict(list(gaps.groupby(EXCHANGE_KEY, observed=True, sort=False)["gap"]))
    for row in _rows(recording.exchanges):
        dialect = dialect_of(row)
        if dialect is None or row["outcome"] in UNKNOWN_END:
            continue
        key = tuple(row[name] for name in EXCHANGE_KEY)
        own, shared, error = streams[key], attributes_of(row, dialect), error_of(row)
        failed = shared | ({} if error is None else {"error.type": error})
        if error is None:  # the conventions have these for successful responses
            yield otel.TTFT, shared, _seconds(own["ttft_ms"].dropna())[:1]
            yield otel.TPOT, shared, _seconds(own["tpot_ms"].dropna())
        ended = _seconds([row["end_ms"]])
        last = _seconds(own["last_token_ms"].dropna())[-1:] if error is None else []
        yield otel.REQUEST_DURATION, failed, last or ended
        yield otel.OPERATION_DURATION, failed, ended
        if key in chunks:
            yield otel.TIME_TO_FIRST_CHUNK, shared, _seconds(own["first_event_ms"].dropna()[:1])
            yield otel.TIME_PER_OUTPUT_CHUNK, shared, _seconds(chunks[key].dropna())
        for kind, column in (("input", "prompt_tokens"), ("output", "output_tokens")):
            if not pd.isna(row[column]):
                yield otel.TOKEN_USAGE, shared | {"gen_ai.token.type": kind}, [float(row[column])]


def _rows(table: pd.DataFrame) -> Iterator[Json]:
    for row in table.to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def _seconds(values_ms: Iterable[Any]) -> list[float]:
    """Return times in seconds, in order; those that are missing are left out."""
    return sorted(float(value) / 1000 for value in values_ms if not pd.isna(value))


def _point(
    bounds: tuple[float, ...], key: _Key, values: list[float], start: int | None, end: int | None
) -> Json:
    # A bucket has its upper bound (metrics.proto, HistogramDataPoint.explicit_bounds).
    counts = np.bincount(np.searchsorted(bounds, values, side="left"), minlength=len(bounds) + 1)
    times = {"startTimeUnixNano": start, "timeUnixNano": end}
    return {
        "attributes": _attributes(dict(key)),
        **{name: str(value) for name, value in times.items() if value is not None},
        "count": str(len(values)),
        "sum": math.fsum(values),
        "min": min(values),
        "max": max(values),
        "bucketCounts": [str(count) for count in counts.tolist()],
        "explicitBounds": list(bounds),
    }


def _span(row: Json, dialect: str, streams: pd.DataFrame) -> Json:
    attributes: Json = attributes_of(row, dialect)
    name = f"{attributes['gen_ai.operation.name']} {attributes.get('gen_ai.request.model', '')}".strip()
    reasons = [str(reason) for reason in streams["finish_reason"].dropna()]
    first = _seconds(streams["first_event_ms"].dropna()[:1])
    error = error_of(row)
    attributes |= {
        "gen_ai.response.finish_reasons": reasons or None,
        "gen_ai.response.time_to_first_chunk": first[0] if first else None,
        "http.response.status_code": None if pd.isna(row["status"]) else int(row["status"]),
        "error.type": error,
    }
    for column in ("prompt_tokens", "output_tokens", "cached_tokens", "reasoning_tokens"):
        attributes[otel.NAMES[column]] = None if pd.isna(row[column]) else int(row[column])
    start = row["started_at"].value
    identity = "\0".join(str(row[name]) for name in EXCHANGE_KEY) + f"\0{start}"
    return {
        "traceId": blake2b(identity.encode(), digest_size=16).hexdigest(),
        "spanId": blake2b(identity.encode(), digest_size=8).hexdigest(),
        "name": name,
        "kind": _CLIENT,
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + max(0, round(row["end_ms"] * 1_000_000))),
        "attributes": _attributes(attributes),
        "status": {} if error is None else {"code": _ERROR},
    }


def _attributes(named: Json) -> list[Json]:
    return [{"key": name, "value": _any_value(value)} for name, value in named.items() if value is not None]


def _any_value(value: Any) -> Json:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_any_value(each) for each in value]}}
        case _:
            return {"stringValue": str(value)}


def _window(exchanges: pd.DataFrame) -> tuple[int | None, int | None]:
    """Return when the first request started and the last answer ended, in ns since 1970; None: not known."""
    known = exchanges[exchanges["started_at"].notna()]
    if known.empty:
        return None, None
    ends = known["started_at"] + pd.to_timedelta(known["end_ms"].fillna(0).clip(lower=0), unit="ms")
    return int(known["started_at"].min().value), int(ends.max().value)


def _resource() -> Json:
    return {"attributes": _attributes({"service.name": "tokentape"})}


def _scope() -> Json:
    try:
        return {"name": "tokentape.analysis", "version": version("tokentape")}
    except PackageNotFoundError:  # run from its folder
        return {"name": "tokentape.analysis"}
