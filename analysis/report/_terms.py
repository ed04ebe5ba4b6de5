"""What the page prints beside its numbers: the definitions of `docs/metrics.md`, word for word.

A test holds every text to the document, which is where it is changed first.
"""

ZERO = (
    "All times are the proxy's, in milliseconds, counted from the moment at which it had the complete "
    "request. What the client saw adds the way to the proxy and back."
)

LABELS = {
    "ttft_ms": "Time to first token",
    "gap_ms": "Gap between tokens",
    "read_gap_ms": "Gap, coalesced left out",
    "itl_ms": "Inter-token latency",
    "e2e_ms": "Time to last token",
    "output_tokens": "Output tokens",
    "tokens_per_s": "Tokens per second",
}
UNITS = {"output_tokens": "tokens", "tokens_per_s": "tokens/s"}
"""Of the metrics that are not in milliseconds."""
COUNTS = ("output_tokens",)

_COALESCED = (
    "whether it came in the same read as the token event before it, so that the gap of 0 is the network's"
)
_N = (
    "n is output_tokens less hidden_tokens: tokens that were never sent took no time between the first and "
    "the last"
)
METRICS = {
    "ttft_ms": ["first token: first event that carries generated text of any kind"],
    "gap_ms": ["time between consecutive token-carrying events of the stream"],
    "read_gap_ms": [
        "the same, missing where coalesced, and where it would be 0",
        _COALESCED,
    ],
    "itl_ms": ["(last_token_ms - ttft_ms) / (n - 1), under both its names", _N],
    "e2e_ms": ["last_token_ms of a complete stream"],
    "output_tokens": ["tokens, and how they are known"],
    "tokens_per_s": ["(n - 1) / (last_token_ms - ttft_ms)"],
}

OUTCOMES = {
    "complete": "a finish reason or an end mark came, however the connection ended afterwards; or the answer "
    "ended and has no body by definition (HEAD, 204, 205, 304)",
    "error-in-stream": "an error came in the stream, whatever the status",
    "truncated": "the answer ended without error, finish reason and end mark",
    "client-closed": "the client left, or the upstream broke off, before that",
    "upstream-error": "the client left, or the upstream broke off, before that",
    "http-error": "the status is neither 2xx nor 304",
    "recorder-stopped": "the recording ended first; how the stream would have ended is not known",
    "damaged": "parts of the exchange are lost from the cassette, or hold what no recorder writes: times "
    "that go back, or a number that is used twice in a section. Nothing is measured, and a line "
    "in lost says why",
}

REASONS = {
    "role-only": "the stream held no generated text",
    "unparsed": "the same, and events in it could not be read: see unparsed in exchanges",
    "no-reasoning": "none of that kind",
    "no-content": "none of that kind",
    "no-tool-call": "none of that kind",
    "no-usage": "no bill",
    "single-token": "nothing to divide or to subtract",
    "single-event": "nothing to divide or to subtract",
    "single-read": "nothing to divide or to subtract",
    "no-time-between": "tokens came in several reads, all at one time of a clock that stood still",
    "no-finish": "it never came",
    "no-end-mark": "it never came",
    "no-body": "it never came",
    "no-events": "it never came",
    "not-a-stream": "the answer came in one, or has no body by definition",
    "unknown-dialect": "an event stream of an API that is not known: events and reads, no tokens",
    "undecodable": "the body is not what its content-encoding says, or more than 256 MiB come of it",
    "not-defined": "the tool whose definitions were asked for has no such number",
    "not-timed": "it happened, and when is not known: the exchange came from a format without such times",
    "no-streams": "there is nothing to summarise",
}
