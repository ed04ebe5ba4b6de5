"""The columns of the four tables, in order, with their types.

The guarantee: a table has these columns and types whatever was in the cassette, also when it is empty.
`docs/metrics.md` says what each means; a test holds the two together.
"""

from typing import Final

CATEGORY: Final = "category"
COUNT: Final = "Int64"
"""Nullable: a count that is not known is NA."""
FLAG: Final = "bool"
MAYBE: Final = "boolean"
"""Nullable: NA where it is not known."""
MS: Final = "float64"
NUMBER: Final = "int64"
TEXT: Final = "str"
TIME: Final = "datetime64[ns, UTC]"

CLOCKS = (
    "headers_ms",
    "first_byte_ms",
    "first_event_ms",
    "ttft_ms",
    "first_reasoning_ms",
    "first_content_ms",
    "first_tool_call_ms",
    "last_token_ms",
    "finish_ms",
    "done_ms",
    "end_ms",
)
MEASURES = (
    *CLOCKS,
    "e2e_ms",
    "gap_p50_ms",
    "gap_p90_ms",
    "gap_p99_ms",
    "gap_max_ms",
    "read_gap_p50_ms",
    "itl_ms",
    "tpot_ms",
    "output_tokens",
    "prompt_tokens",
    "tokens_per_s",
)
"""The columns of `streams` that can be missing; each has a column with `_why` beside it."""
COUNTED = ("output_tokens", "prompt_tokens")

KEYS = {"cassette": CATEGORY, "section": NUMBER, "exchange": NUMBER}
"""What names an exchange in every table."""
EXCHANGE_KEY = [*KEYS]
STREAM_KEY = [*KEYS, "choice"]
"""What names a stream, in the tables that have a row or more for each; lists, as pandas takes columns."""

EXCHANGES = {
    **KEYS,
    "started_at": TIME,
    "method": CATEGORY,
    "host": CATEGORY,
    "port": COUNT,
    "path": CATEGORY,
    "status": COUNT,
    "content_type": CATEGORY,
    "content_encoding": CATEGORY,
    "dialect": CATEGORY,
    "model_requested": CATEGORY,
    "model": CATEGORY,
    "outcome": CATEGORY,
    "error": TEXT,
    "end_reason": CATEGORY,
    "end_detail": TEXT,
    **{
        column: dtype
        for name in ("headers_ms", "first_byte_ms", "end_ms")
        for column, dtype in ((name, MS), (f"{name}_why", CATEGORY))
    },
    "streams": NUMBER,
    "events": NUMBER,
    "comments": NUMBER,
    "unparsed": NUMBER,
    "reads": NUMBER,
    "bytes": NUMBER,
    "lost_chunks": NUMBER,
    "prompt_tokens": COUNT,
    "output_tokens": COUNT,
    "reasoning_tokens": COUNT,
    "usage_why": CATEGORY,
    "cached_tokens": COUNT,
    "request_bytes": COUNT,
    "request_digest": CATEGORY,
    "connection": CATEGORY,
    "connection_reused": MAYBE,
    "connect_ms": MS,
    "in_flight": COUNT,
    "labels": CATEGORY,
}

STREAMS = {
    **KEYS,
    "choice": NUMBER,
    "started_at": TIME,
    "model_requested": CATEGORY,
    "model": CATEGORY,
    "host": CATEGORY,
    "path": CATEGORY,
    "status": COUNT,
    "dialect": CATEGORY,
    "outcome": CATEGORY,
    "finish_reason": CATEGORY,
    **{
        column: dtype
        for name in MEASURES
        for column, dtype in ((name, COUNT if name in COUNTED else MS), (f"{name}_why", CATEGORY))
    },
    "tokens_from": CATEGORY,
    "hidden_tokens": NUMBER,
    "events": NUMBER,
    "token_events": NUMBER,
    "reads": NUMBER,
    "bytes": NUMBER,
    "text_chars": NUMBER,
    "cached_tokens": COUNT,
    "request_bytes": COUNT,
    "request_digest": CATEGORY,
    "connection": CATEGORY,
    "connection_reused": MAYBE,
    "connect_ms": MS,
    "in_flight": COUNT,
    "labels": CATEGORY,
}

EVENTS = {
    **KEYS,
    "choice": COUNT,
    "event": NUMBER,
    "read": NUMBER,
    "t_ms": MS,
    "carries": CATEGORY,
    "is_token": FLAG,
    "token_event": COUNT,
    "gap_ms": MS,
    "read_gap_ms": MS,
    "coalesced": FLAG,
    "tokens": COUNT,
    "text": TEXT,
}

READS = {
    **KEYS,
    "read": NUMBER,
    "t_ms": MS,
    "bytes": NUMBER,
    "decoded_bytes": NUMBER,
    "events": NUMBER,
    "is_token": FLAG,
    "read_gap_ms": MS,
}
