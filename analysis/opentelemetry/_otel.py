"""The names that OpenTelemetry's conventions for generative AI give to what the tables have.

They are of schema `gen-ai/1.42.0` (https://github.com/open-telemetry/semantic-conventions-genai, status
Development). The invariant: a column is renamed only if it is what the convention defines, in its unit,
which for times is seconds; all others keep their names. `docs/opentelemetry.md` has the list.
"""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

import pandas as pd

SCHEMA_URL = "https://opentelemetry.io/schemas/gen-ai/1.42.0"

TTFT = "gen_ai.server.time_to_first_token"
TPOT = "gen_ai.server.time_per_output_token"
REQUEST_DURATION = "gen_ai.server.request.duration"
OPERATION_DURATION = "gen_ai.client.operation.duration"
TIME_TO_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"
TIME_PER_OUTPUT_CHUNK = "gen_ai.client.operation.time_per_output_chunk"
TOKEN_USAGE = "gen_ai.client.token.usage"  # noqa: S105  (no secret)

TIMES = {
    "first_event_ms": TIME_TO_FIRST_CHUNK,
    "ttft_ms": TTFT,
    "tpot_ms": TPOT,
    "e2e_ms": REQUEST_DURATION,
    "end_ms": OPERATION_DURATION,
}
"""Columns in ms whose namesakes are in s."""
NAMES = TIMES | {
    "model_requested": "gen_ai.request.model",
    "model": "gen_ai.response.model",
    "host": "server.address",
    "port": "server.port",
    "path": "url.path",
    "method": "http.request.method",
    "status": "http.response.status_code",
    "prompt_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_tokens": "gen_ai.usage.cache_read.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
}
_SUMMED = NAMES | {"itl_ms": TPOT}
"""A summary has ITL, which is TPOT under its other name, and no row of that name."""
_TIMES_SUMMED = (*TIMES, "itl_ms")
_NUMBERS = ("p50", "p90", "p99", "max")


def otel_table(table: pd.DataFrame) -> pd.DataFrame:
    """Return one of the four tables with the conventions' names, and times that have one in seconds."""
    seconds = {name: table[name] / 1000 for name in TIMES if name in table.columns}
    return table.assign(**seconds).rename(columns=_named(table.columns))


def otel_summary(summary: pd.DataFrame) -> pd.DataFrame:
    """Return a summary with the conventions' names of metrics and groups, and times in seconds."""
    found = summary.copy()
    metrics = found.index.get_level_values("metric")
    is_time = metrics.isin(_TIMES_SUMMED)
    found.loc[is_time, list(_NUMBERS)] /= 1000
    renamed = found.rename(index=_SUMMED, level="metric")
    renamed.index = renamed.index.set_names([_SUMMED.get(str(name), name) for name in found.index.names])
    return renamed


def otel_dict(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `Recording.as_dict` returns with the conventions' names, with groups and without."""
    return {
        "exchanges": [_row(row) for row in found["exchanges"]],
        "streams": [_row(row) for row in found["streams"]],
        "summary": _summaries(found["summary"]),
    }


def _summaries(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary, or those of groups (in groups); a summary says how many streams it has."""
    if isinstance(found.get("streams"), int):
        return _summary(found)
    return {name: _summaries(each) for name, each in found.items()}


def _named(columns: Iterable[Hashable]) -> dict[Hashable, str]:
    named: dict[Hashable, str] = {}
    for name in columns:
        plain = str(name).removesuffix("_why")
        if plain in NAMES:
            named[name] = NAMES[plain] + str(name)[len(plain) :]
    return named


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    names = _named(row)
    return {
        names.get(name, name): value / 1000 if name in TIMES and value is not None else value
        for name, value in row.items()
    }


def _summary(summary: Mapping[str, Any]) -> dict[str, Any]:
    return {
        _SUMMED.get(name, name): {
            key: number / 1000 if name in _TIMES_SUMMED and key in _NUMBERS and number is not None else number
            for key, number in value.items()
        }
        if isinstance(value, Mapping)
        else value
        for name, value in summary.items()
    }
