"""Recordings made of tables, without cassettes: for simulations of many of them."""

from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis import Recording
from tokentape.analysis._schema import EVENTS, EXCHANGES, READS, STREAMS


def table(types: dict[str, str], rows: int, **columns: Any) -> pd.DataFrame:
    """A table of the schema; what is not given is missing, or 0 where it cannot be."""
    made = {}
    for name, named in types.items():
        dtype = "object" if named == "str" else named
        default = False if dtype == "bool" else 0 if dtype == "int64" else None
        made[name] = pd.Series(columns.get(name, [default] * rows), dtype=dtype)
    return pd.DataFrame(made)


def recording(
    name: str,
    ttft_ms: Any,
    *,
    itl_ms: Any = None,
    e2e_ms: Any = None,
    output_tokens: Any = None,
    failed: Any = None,
    gaps_ms: Any = None,
    **columns: Any,
) -> Recording:
    """A request for each TTFT; where `failed`, it has no metric. `gaps_ms` has a row for each request."""
    rows = len(ttft_ms)
    failed = np.zeros(rows, bool) if failed is None else np.asarray(failed, bool)

    def known(values: Any) -> Any:
        return np.where(failed, np.nan, np.full(rows, np.nan) if values is None else values)

    streams = table(
        STREAMS,
        rows,
        cassette=[name] * rows,
        exchange=np.arange(rows),
        outcome=np.where(failed, "http-error", "complete"),
        request_digest=[f"{name}{number}" for number in range(rows)],
        ttft_ms=known(ttft_ms),
        itl_ms=known(itl_ms),
        e2e_ms=known(e2e_ms),
        output_tokens=pd.array(known(output_tokens), dtype="Int64"),
        **columns,
    )
    gaps = np.empty((rows, 0)) if gaps_ms is None else np.asarray(gaps_ms)
    each = gaps.shape[1]
    events = table(
        EVENTS,
        gaps.size,
        cassette=[name] * gaps.size,
        exchange=np.repeat(np.arange(rows), each),
        choice=pd.array(np.zeros(gaps.size), dtype="Int64"),
        gap_ms=gaps.ravel(),
        read_gap_ms=gaps.ravel(),
    )
    return Recording(exchanges=table(EXCHANGES, 0), streams=streams, events=events, reads=table(READS, 0))
