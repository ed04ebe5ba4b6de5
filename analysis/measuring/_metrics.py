"""Every number of a stream, from integer nanoseconds to milliseconds: values in, values out.

The guarantee: a number is either the definition's, exact to the nanosecond and rounded once (on its way
to a float of milliseconds), or it is missing and there is a reason. Never 0 for what is not known.

Two readings of the definitions are made here on purpose. ITL and tokens/s count the tokens that were
streamed: reasoning that was billed but never sent did not take its time between the first token and the
last. Where it did, or may have (a summary of it was shown meanwhile, or no bill says how much it was), the
tokens between the two are not known, and both are missing. And where all tokens came at one moment (one
event, or several in one read) there is no time between them to divide, so both are missing and not 0 and
infinite.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tokentape.analysis.measuring._columns import plain
from tokentape.analysis.measuring._reason import Why
from tokentape.analysis.measuring._token_stream import TokenStream
from tokentape.cassette import Times
from tokentape.dialects import CONTENT, REASONING, TOOL_CALL, Outcome

NS_PER_MS = 1_000_000

ITL_DEFINITION = "(last token - first token) / (output tokens - 1), per stream; some tools call this TPOT"
"""What is printed beside every ITL, since the field uses the name for two things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known of the exchange around its streams. Times are ns since the request was complete."""

    outcome: Outcome
    unmeasured: Why | None = None
    """Why no token of this stream can be known: not a stream, no known dialect, unparsed, damaged."""
    headers_ns: int | None = None
    first_byte_ns: int | None = None
    end_ns: int | None = None
    prompt_tokens: int | None = None
    overlooked: int = 0
    """Kinds of text that are there and no tokens to the tool whose definitions are asked for."""
    times: Times = "all"
    """Which times are known: where not all are, those of the stream mean nothing but that it happened."""


@dataclass(frozen=True, slots=True)
class Measures:
    """The metrics of a stream by column name; the reason stands in `why` for each that is None."""

    numbers: dict[str, float | int | None]
    why: dict[str, Why | None]


def percentile(ordered: Sequence[int], percent: int) -> float:
    """Return an exact percentile of sorted values, linearly interpolated as pandas and numpy do.

    The position is an integer computation, so a percentile that falls on a value is that value.
    """
    whole, part = divmod((len(ordered) - 1) * percent, 100)
    if not part:
        return ordered[whole]
    low, high = ordered[whole], ordered[whole + 1]
    return (low * (100 - part) + high * part) / 100


def measure(stream: TokenStream, around: Around) -> Measures:
    """Return every metric of one stream."""
    values: dict[str, float | int | None] = {}
    why: dict[str, Why | None] = {}

    def put(name: str, value: float | None, reason: Why) -> None:
        values[name] = value
        why[name] = reason if value is None else None

    def put_ns(name: str, value: float | None, reason: Why, *, timed: bool = around.times == "all") -> None:
        if value is None:
            put(name, None, reason)
        elif timed:
            put(name, value / NS_PER_MS, reason)
        else:  # it happened, and when is not known
            put(name, None, "not-timed")

    outcome = around.outcome
    cut = None if outcome == "complete" else outcome
    not_a_stream = around.unmeasured == "not-a-stream"
    tokens = stream.token_ns
    overlooked: Why | None = "not-seen-by-tool" if around.overlooked and not tokens else None
    no_token: Why = around.unmeasured or overlooked or cut or "role-only"
    ttft = tokens[0] if tokens else None
    last = tokens[-1] if tokens else None

    around_timed = around.times != "none"
    put_ns("headers_ms", around.headers_ns, cut or "damaged", timed=around_timed)
    put_ns("first_byte_ms", around.first_byte_ns, cut or "no-body")
    put_ns("first_event_ms", stream.first_event_ns, around.unmeasured or cut or "no-events")
    put_ns("ttft_ms", ttft, no_token)
    kinds: tuple[tuple[str, int | None, int, Why], ...] = (
        ("first_reasoning_ms", stream.first_reasoning_ns, REASONING, "no-reasoning"),
        ("first_content_ms", stream.first_content_ns, CONTENT, "no-content"),
        ("first_tool_call_ms", stream.first_tool_call_ns, TOOL_CALL, "no-tool-call"),
    )
    for name, first_ns, kind, none in kinds:
        not_there: Why = "not-seen-by-tool" if around.overlooked & kind else none
        put_ns(name, first_ns, not_there if tokens or overlooked else no_token)
    put_ns("last_token_ms", last, no_token)
    put_ns("finish_ms", stream.finish_ns, around.unmeasured or cut or "no-finish")
    put_ns("done_ms", stream.done_ns, around.unmeasured or cut or "no-end-mark")
    not_ended: Why = "recorder-stopped" if outcome != "damaged" else "damaged"
    put_ns("end_ms", around.end_ns, not_ended, timed=around_timed)
    put_ns("e2e_ms", None if cut else last, no_token)

    no_gap: Why = "single-event" if tokens else no_token
    gaps = _sorted_gaps(tokens)
    for percent in (50, 90, 99):
        put_ns(f"gap_p{percent}_ms", percentile(gaps, percent) if gaps else None, no_gap)
    put_ns("gap_max_ms", gaps[-1] if gaps else None, no_gap)
    # They are the same where no read had two of the stream's events. One of 0 is none: the clock stood still.
    read_gaps = gaps if len(stream.read_ns) == len(tokens) else _sorted_gaps(stream.read_ns)
    if read_gaps and not read_gaps[0]:
        read_gaps = [gap for gap in read_gaps if gap]
    not_timed = around.times != "all" and len(tokens) > 1
    no_gap = ("not-timed" if not_timed else no_time_between(stream)) if tokens else no_token
    put_ns("read_gap_p50_ms", percentile(read_gaps, 50) if read_gaps else None, no_gap)

    _put_rates(put, stream, no_token, timed=around.times == "all")
    no_output: Why = "billed-together" if stream.billed_together else _no_usage(around)
    put("output_tokens", stream.output_tokens, no_output if not_a_stream else no_token)
    put("prompt_tokens", around.prompt_tokens, _no_usage(around))
    return Measures(values, why)


def no_time_between(stream: TokenStream) -> Why:
    """Return why there is no time between tokens of a stream: one read had all, or the clock stood still."""
    return "no-time-between" if len(stream.read_ns) > 1 else "single-read"


def _sorted_gaps(times_ns: Sequence[int]) -> Sequence[int]:
    return plain(np.sort(np.diff(np.asarray(times_ns, np.int64))))


def _put_rates(
    put: Callable[[str, float | None, Why], None], stream: TokenStream, no_token: Why, *, timed: bool
) -> None:
    tokens = stream.token_ns
    itl = rate = None
    reason: Why = no_token
    if tokens:
        steps = (stream.output_tokens or 0) - stream.hidden_tokens - 1
        span = tokens[-1] - tokens[0]
        if stream.withheld:
            reason = "withheld-reasoning"
        elif stream.hidden_tokens and steps < 0:
            reason = "all-hidden"
        elif steps < 1:
            reason = "single-token"
        elif not timed:
            reason = "not-timed"
        elif span < 1:
            reason = no_time_between(stream)
        else:
            itl = span / (steps * NS_PER_MS)
            rate = steps * 1_000_000_000 / span
    put("itl_ms", itl, reason)
    put("tpot_ms", itl, reason)
    put("tokens_per_s", rate, reason)


def _no_usage(around: Around) -> Why:
    if around.unmeasured and around.unmeasured != "not-a-stream":
        return around.unmeasured
    return "no-usage" if around.outcome == "complete" else around.outcome
