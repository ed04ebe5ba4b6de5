"""What the page prints beside its numbers: definitions, outcomes and reasons, in sentences.

The invariant: every sentence stands alone, since the page prints only those of what is on it. A test holds
names and formulas to `docs/metrics.md`.
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

_N = "n is output_tokens less the reasoning that was billed and never sent."
METRICS = {
    "ttft_ms": "When the first event came that carries generated text of any kind, reasoning and tool "
    "calls, too.",
    "gap_ms": "The time between consecutive token-carrying events of a stream; all gaps of all streams "
    "together.",
    "read_gap_ms": "The gaps that are not coalesced: of several tokens that came in one read only the first "
    "has one, since the gaps of 0 between them are the network's.",
    "itl_ms": f"(last_token_ms - ttft_ms) / (n - 1) of each stream. {_N}",
    "e2e_ms": "When the last event with generated text came, of streams that are complete.",
    "output_tokens": "The tokens of each stream, reasoning among them.",
    "tokens_per_s": f"(n - 1) / (last_token_ms - ttft_ms) of each stream. {_N}",
}

SOURCES = {
    "usage": "The provider's bill, which came in the stream, says how many tokens there were.",
    "usage-per-chunk": "A bill came with each event and says how many tokens it brought.",
    "tokenizer": "The tokens were counted in the text, by a tokenizer.",
    "chunks": "No bill came, and the events that carry text are counted; one may hold several tokens.",
}
"""How output tokens are known."""

OUTCOMES = {
    "complete": "A finish reason or an end mark came, however the connection ended afterwards; or the answer "
    "has no body by definition.",
    "error-in-stream": "An error came in the stream, whatever the status.",
    "truncated": "The answer ended without an error, a finish reason and an end mark.",
    "client-closed": "The client left before a finish reason or an end mark came.",
    "upstream-error": "The upstream broke off before a finish reason or an end mark came.",
    "http-error": "The status is neither 2xx nor 304.",
    "recorder-stopped": "The recording ended before the stream; how it would have ended is not known.",
    "damaged": "Parts of the exchange are lost from the cassette, or hold what no recorder writes, such as "
    "times that go back or a number that is used twice; nothing of it is measured.",
}

REASONS = {
    "role-only": "The stream held no generated text.",
    "unparsed": "The stream held no generated text that could be read, and events that could not.",
    "no-reasoning": "The stream held no reasoning.",
    "no-content": "The stream held no content.",
    "no-tool-call": "The stream held no tool call.",
    "no-usage": "No bill came, or none that has the text in it that came.",
    "billed-together": "The answer came in one, and its only bill is of several choices together.",
    "withheld-reasoning": "Of reasoning a summary was shown, or nothing, so that it is not known "
    "how many tokens were made between the first that was shown and the last.",
    "all-hidden": "The bill has all tokens for reasoning that was never sent.",
    "single-token": "There is one token, and so nothing to divide by.",
    "single-event": "One event carries generated text, and so there is no time between two.",
    "single-read": "All tokens came in one read, and so there is no time between them.",
    "no-finish": "A finish reason never came.",
    "no-end-mark": "An end mark never came.",
    "no-body": "A body never came.",
    "no-events": "No event came.",
    "not-a-stream": "The answer came in one piece, or has no body by definition.",
    "unknown-dialect": "It is an event stream of an API that is not known, which has events and reads, and "
    "no tokens.",
    "undecodable": "The body is not what its content-encoding says, or more than 256 MiB come of it.",
    "not-defined": "The tool whose definitions were asked for has no such number.",
    "not-seen-by-tool": "There was generated text, which the tool whose definitions were asked for takes for "
    "no token.",
    "no-time-between": "Tokens came in several reads, all at one time of a clock that stood still.",
    "not-timed": "It happened, and when is not known: the exchange came from a format without such times.",
    "no-streams": "There is no stream to summarise.",
}
UNSURE = {
    "no-values": "One of the two recordings has no value.",
    "too-few": "There are values, but fewer than ten requests are beyond the quantile, so that an interval "
    "could not be trusted.",
    "counted-differently": "The tokens of both recordings are known in different ways, so that the numbers "
    "are of two kinds.",
    "only-in-a": "Only A has this group.",
    "only-in-b": "Only B has this group.",
    "zero": "A change in percent of 0 does not exist.",
}
"""Why a comparison has no interval."""


def meaning(name: str) -> str:
    """Return the sentence about a reason, which may be an outcome; "" for what is none."""
    return (REASONS | OUTCOMES | UNSURE).get(name, "")
