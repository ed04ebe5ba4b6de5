"""What holds for the tables of any cassette, whatever providers, proxies and disks have done to it."""

import io
import json
import math

import numpy as np
import pandas as pd

from tokentape.analysis import Recording, compare, fidelity
from tokentape.analysis import _schema as schema
from tokentape.analysis.measuring._reason import REASONS
from tokentape.dialects import OUTCOMES

KEYS = ["cassette", "section", "exchange"]
IN_ORDER = (
    ("headers_ms", "first_byte_ms"),
    ("headers_ms", "end_ms"),
    ("first_byte_ms", "end_ms"),
    ("first_byte_ms", "first_event_ms"),
    ("first_event_ms", "ttft_ms"),
    ("ttft_ms", "last_token_ms"),
    ("ttft_ms", "first_reasoning_ms"),
    ("ttft_ms", "first_content_ms"),
    ("ttft_ms", "first_tool_call_ms"),
    ("first_reasoning_ms", "last_token_ms"),
    ("first_content_ms", "last_token_ms"),
    ("first_tool_call_ms", "last_token_ms"),
    ("first_event_ms", "finish_ms"),
    ("first_event_ms", "done_ms"),
    ("last_token_ms", "end_ms"),
    ("gap_p50_ms", "gap_p90_ms"),
    ("gap_p90_ms", "gap_p99_ms"),
    ("gap_p99_ms", "gap_max_ms"),
)


def check(recording: Recording) -> None:
    """Check that all tables are what they promise, and that everything made of them can be."""
    for table, types in (
        (recording.exchanges, schema.EXCHANGES),
        (recording.streams, schema.STREAMS),
        (recording.events, schema.EVENTS),
        (recording.reads, schema.READS),
    ):
        assert list(table.columns) == list(types)
        for name, dtype in types.items():
            found = str(table[name].dtype)
            assert found == dtype or (dtype == schema.TEXT and found in ("string", "str")), (name, found)
    found = recording.as_dict()
    text = json.dumps(found, allow_nan=False)
    assert len(json.loads(text)["streams"]) == len(recording.streams)
    text.encode()
    for row in found["streams"]:
        _check_stream(row)
    for row in found["exchanges"]:
        assert row["outcome"] in OUTCOMES
        for name in ("headers_ms", "first_byte_ms", "end_ms", "connect_ms"):
            assert row[name] is None or row[name] >= 0, (name, row[name])
        assert (row["output_tokens"] is None) == (row["usage_why"] is not None)
        assert row["usage_why"] in (None, *REASONS, *OUTCOMES)
        assert row["usage_why"] != "complete"
    _check_bills(found)
    _check_lost(recording)
    _check_counts(recording)
    _check_gaps(recording)
    _check_made_of(recording)


def _check_stream(row) -> None:
    outcome = row["outcome"]
    assert outcome in OUTCOMES
    for name in schema.MEASURES:
        value, why = row[name], row[f"{name}_why"]
        assert (value is None) == (why is not None), (name, value, why)
        if value is None:
            assert why in (*REASONS, *OUTCOMES), (name, why)
            assert why != "complete", name
        else:
            assert math.isfinite(value), name
            assert value >= 0, (name, value)
    for before, after in IN_ORDER:
        if row[before] is not None and row[after] is not None:
            assert row[before] <= row[after], (before, after)
    if outcome == "damaged":
        assert [name for name in schema.MEASURES if row[name] is not None and name != "prompt_tokens"] == []
    if outcome != "complete":
        assert row["e2e_ms"] is None
    elif row["last_token_ms"] is not None:
        assert row["e2e_ms"] == row["last_token_ms"]
    assert row["itl_ms"] == row["tpot_ms"]
    for name in ("itl_ms", "tokens_per_s"):
        assert row[name] is None or row[name] > 0
    assert (row["tokens_from"] is None) == (row["output_tokens"] is None) or outcome == "damaged"
    assert row["hidden_tokens"] >= 0
    assert not row["text_chars"] or row["token_events"] or row["ttft_ms_why"] == "not-a-stream"


def _check_bills(found) -> None:
    """Check that a stream is billed as its exchange is."""
    exchanges = {tuple(row[key] for key in KEYS): row for row in found["exchanges"]}
    for row in found["streams"]:
        whole = exchanges[tuple(row[key] for key in KEYS)]
        if row["tokens_from"] not in ("usage", "usage-per-chunk") or whole["outcome"] == "damaged":
            continue
        if whole["streams"] == 1:
            assert row["output_tokens"] == whole["output_tokens"]
        assert row["hidden_tokens"] in (0, whole["reasoning_tokens"]) or whole["streams"] > 1


def _check_lost(recording: Recording) -> None:
    """Check that a line says why an exchange is not measured, and that others have names of their own."""
    exchanges = recording.exchanges
    repeated = exchanges[exchanges.duplicated(KEYS, keep=False)]
    assert (repeated["outcome"] == "damaged").all()
    for row in exchanges[exchanges["outcome"] == "damaged"].itertuples():
        name = f": exchange {row.exchange} of section {row.section}: "
        assert any(name in line and "not measured" in line for line in recording.lost), name


def _check_counts(recording: Recording) -> None:
    exchanges, streams = recording.exchanges, recording.streams
    if exchanges.duplicated(KEYS).any():
        return  # a cassette made by hand uses a number twice: what belongs to which cannot be counted
    by = {name: table.groupby(KEYS, observed=True) for name, table in (("streams", streams),)}
    for row in exchanges.itertuples():
        key = (row.cassette, row.section, row.exchange)
        assert len(by["streams"].get_group(key)) == row.streams
        events, reads = (
            table[(table["section"] == row.section) & (table["exchange"] == row.exchange)]
            for table in (
                recording.events[recording.events["cassette"] == row.cassette],
                recording.reads[recording.reads["cassette"] == row.cassette],
            )
        )
        assert events["event"].nunique() == row.events
        assert len(reads) == row.reads
        assert reads["bytes"].sum() == row.bytes
        assert reads["events"].sum() == row.events
        assert events["read"].isin(reads["read"]).all()
        assert events["event"].is_monotonic_increasing
        for stream in by["streams"].get_group(key).itertuples():
            if stream.outcome == "damaged":
                continue
            own = events[(events["choice"] == stream.choice).fillna(value=False)]
            assert own["is_token"].sum() == stream.token_events
            # A text of half a surrogate pair has one character wherever it is counted.
            assert own["text"].str.len().sum() in (stream.text_chars, 0)


def _check_gaps(recording: Recording) -> None:
    for table, names in ((recording.events, ("gap_ms", "read_gap_ms")), (recording.reads, ("read_gap_ms",))):
        for name in names:
            values = table[name].dropna().to_numpy()
            assert (values > 0).all() if name == "read_gap_ms" else (values >= 0).all()
            assert np.isfinite(values).all()
        assert not table["t_ms"].isin([np.inf, -np.inf]).any()
    coalesced = recording.events[recording.events["coalesced"]]
    assert coalesced["gap_ms"].fillna(0).eq(0).all()
    assert coalesced["read_gap_ms"].isna().all()


def _check_made_of(recording: Recording) -> None:
    summary = recording.summary()
    assert summary.loc[summary["n"] == 0, "why"].notna().all()
    assert (summary["p50"].isna() == (summary["n"] == 0)).all()
    for by in ("model", "outcome", "route"):
        recording.summary(by)
        recording.outcomes(by)
    met = recording.slo(ttft_ms=500, gap_ms=200)
    assert (met["met"] <= met["sent"]).all()
    assert recording.stalls(over_ms=1)["gap_ms"].gt(1).all()
    assert recording.deadline_miss_rate(10).between(0, 1).all()
    assert (recording.concurrency() >= 0).all()
    itself = compare(recording, recording)
    assert itself.quantiles["change"].dropna().eq(0).all() or not itself.paired
    try:
        error = fidelity(recording, recording)
    except ValueError:
        pass
    else:
        assert error["gap_error_max_ms"] == 0 or not error["gaps"]
    for table in (recording.exchanges, recording.streams, recording.events, recording.reads):
        table.to_parquet(io.BytesIO())
        assert table.to_csv().encode()
    assert isinstance(recording.streams, pd.DataFrame)
