"""TTFT, ITL, TPOT, E2E and throughput as other tools define them, from the same events.

So that a number of theirs can be reproduced: what a tool takes for a token, which streams it counts, what it
divides by, and how it comes to its percentiles are from its source (aiperf 0.13, guidellm 0.8.1, servebench
1.1.3, vLLM 0.33), and from running them (of vLLM, its client). The zero stays the proxy's, and
choices stay apart, which these tools merge: with `n` > 1 their numbers are others. What a tool does not
define is missing, because `not-defined`; what it counts as failed is missing because of its outcome.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from tokentape.analysis.measuring import _tool_tokens
from tokentape.analysis.measuring._metrics import NS_PER_MS, Around, Measures, no_time_between
from tokentape.analysis.measuring._tool_tokens import IsToken

if TYPE_CHECKING:
    from tokentape.analysis.measuring._reason import Why
    from tokentape.analysis.measuring._token_stream import TokenStream

_NS_PER_S = 1_000_000_000
Quantiles: TypeAlias = Literal["linear", "inverted_cdf"]
"""numpy's names: interpolated, or the least value that so much of the weight does not exceed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a tool sees of a stream; times in ns since the request was complete."""

    tokens: Sequence[int]
    n: int | None
    end: int | None
    done: int | None


_Formula: TypeAlias = Callable[[_Seen], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """One tool's: which events are tokens to it, and its formulas, in code and in words."""

    name: str
    itl_text: str
    is_token: IsToken
    itl: _Formula
    tpot: _Formula | None
    e2e: _Formula
    tokens_per_s: _Formula | None = None
    """Of one stream."""
    counted: frozenset[str]
    """The outcomes that are successes to it; all others have no numbers."""
    pools_gaps: bool = False
    """Whether its ITL over many streams is that of all gaps, and not of one value for each stream."""
    weights: tuple[tuple[str, int], ...] = ()
    """Metrics of which a stream's value weighs as much as it has output tokens, and so many fewer."""
    quantiles: Quantiles = "linear"
    ends_with: Literal["e2e_ms", "end_ms"] = "end_ms"
    """What ends the window of its throughput, which the first request begins."""


def _last(seen: _Seen) -> float | None:
    return seen.tokens[-1]


def _end(seen: _Seen) -> float | None:
    return seen.end


def _done_or_end(seen: _Seen) -> float | None:
    return seen.end if seen.done is None else seen.done


def _per_step(end: _Formula) -> _Formula:
    def formula(seen: _Seen) -> float | None:
        last = end(seen)
        if last is None or seen.n is None or seen.n < 2:
            return None
        return (last - seen.tokens[0]) / (seen.n - 1)

    return formula


def _per_token(seen: _Seen) -> float | None:
    return seen.tokens[-1] / seen.n if seen.n else None


def _mean_gap(seen: _Seen) -> float | None:
    steps = len(seen.tokens) - 1
    return (seen.tokens[-1] - seen.tokens[0]) / steps if steps > 0 else None


def _rate_after_first(seen: _Seen) -> float | None:
    itl = _per_step(_last)(seen)
    return _NS_PER_S / itl if itl else None


def _rate_to_end(seen: _Seen) -> float | None:
    return seen.n * _NS_PER_S / seen.end if seen.n and seen.end else None


DEFINITIONS = {
    each.name: each
    for each in (
        Definitions(
            name="aiperf",
            itl_text="aiperf: (last content event - first token) / (output tokens - 1)",
            is_token=_tool_tokens.aiperf,
            itl=_per_step(_last),
            tpot=None,
            e2e=_last,
            tokens_per_s=_rate_after_first,
            counted=frozenset({"complete", "truncated", "error-in-stream"}),
            ends_with="e2e_ms",
        ),
        Definitions(
            name="guidellm",
            itl_text="guidellm: (last token - first token) / (output tokens - 1), weighed with these; "
            "its TPOT has TTFT in it",
            is_token=_tool_tokens.guidellm,
            itl=_per_step(_last),
            tpot=_per_token,
            e2e=_end,
            tokens_per_s=_rate_to_end,
            counted=frozenset({"complete", "truncated"}),
            weights=(("itl_ms", 1), ("tpot_ms", 0)),
            quantiles="inverted_cdf",
        ),
        Definitions(
            name="servebench",
            itl_text="servebench: gaps between content events, pooled; in a row of streams their mean",
            is_token=_tool_tokens.servebench,
            itl=_mean_gap,
            tpot=_per_step(_done_or_end),
            e2e=_done_or_end,
            counted=frozenset({"complete"}),
            pools_gaps=True,
        ),
        Definitions(
            name="vllm",
            itl_text="vLLM: gaps between events with output, pooled; in a row of streams their mean",
            is_token=_tool_tokens.vllm,
            itl=_mean_gap,
            tpot=_per_step(_last),
            e2e=_last,
            counted=frozenset({"complete", "truncated", "error-in-stream"}),
            pools_gaps=True,
        ),
    )
}


def named_definitions(name: str | None) -> Definitions | None:
    """Return a tool's definitions; ValueError, with the names there are, for a tool that is not known."""
    if name is None or name in DEFINITIONS:
        return None if name is None else DEFINITIONS[name]
    raise ValueError(f"expected one of {', '.join(DEFINITIONS)} as definitions, found {name!r}")


def redefined(
    measures: Measures, definitions: Definitions, *, stream: "TokenStream", around: Around, failed: bool
) -> Measures:
    """Return the measures with TTFT, ITL, TPOT, E2E and rate as another tool would have them.

    `stream` and `measures` are of the answer as that tool sees it (`as_seen`). `failed`: it had an error that
    every tool sees.
    """
    tokens = () if around.unmeasured is not None else stream.token_ns
    seen = _Seen(tokens=tokens, n=stream.output_tokens, end=around.end_ns, done=stream.done_ns)
    reason: Why | None = None
    if around.outcome not in definitions.counted or failed:
        reason = around.outcome
    elif not tokens:
        reason = measures.why["ttft_ms"] or "role-only"
    elif around.times != "all":
        reason = "not-timed"
    single: Why = "single-token"
    formulas: dict[str, tuple[_Formula | None, Why]] = {
        "ttft_ms": (_first, "role-only"),
        "itl_ms": (definitions.itl, "single-event" if definitions.pools_gaps else single),
        "tpot_ms": (definitions.tpot, single if (seen.n or 0) < 2 else "recorder-stopped"),
        "e2e_ms": (definitions.e2e, "recorder-stopped"),
    }
    numbers, why = dict(measures.numbers), dict(measures.why)
    for name, (formula, otherwise) in formulas.items():
        value = None if reason or formula is None else formula(seen)
        numbers[name] = None if value is None else value / NS_PER_MS
        why[name] = (
            None if value is not None else (reason or ("not-defined" if formula is None else otherwise))
        )
    rate = definitions.tokens_per_s
    numbers["tokens_per_s"] = value = None if reason or rate is None else rate(seen)
    missing: Why = "not-defined" if rate is None else single if (seen.n or 0) < 2 else no_time_between(stream)
    why["tokens_per_s"] = None if value is not None else (reason or missing)
    return Measures(numbers, why)


def _first(seen: _Seen) -> float | None:
    return seen.tokens[0]
