"""TTFT, ITL, TPOT and E2E as other tools define them, from the same events: to reproduce a number of theirs.

What a tool takes for a token and what it divides by is from its source (aiperf 0.13, guidellm 0.8, vLLM
0.33, servebench 1.1) and, for vLLM, from running it. The zero stays the proxy's, and choices stay apart,
which these tools merge: with `n` > 1 their numbers are others. Gaps and `tokens_per_s` stay as they are.
What a tool does not define is missing, because `not-defined`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from tokentape.analysis._answer import Answer
from tokentape.analysis._metrics import NS_PER_MS, Around, Measures
from tokentape.analysis._token_stream import TokenStream
from tokentape.cassette import Exchange, decoded, events
from tokentape.dialects import CONTENT, NO_CHOICE, REASONING

if TYPE_CHECKING:
    from tokentape.analysis._reason import Why

_Times = Sequence[int]
_Formula = Callable[["_Seen"], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a tool sees of a stream; times in ns since the request was complete."""

    tokens: _Times
    n: int | None
    end: int | None
    done: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """One tool's: which events are tokens to it, and its formulas, in code and in words."""

    name: str
    itl_text: str
    itl: _Formula
    tpot: _Formula
    e2e: _Formula
    is_token: int | Callable[[Any], bool] | None = None
    """A mask of `carries`, or a function of a chunk's delta; None for what is a token to us."""


def _last(seen: _Seen) -> float | None:
    return seen.tokens[-1]


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


def _end(seen: _Seen) -> float | None:
    return seen.end


def _done(seen: _Seen) -> float | None:
    return seen.done


def _none(_: _Seen) -> float | None:
    return None


def _is_vllm_output(delta: Any) -> bool:
    if not isinstance(delta, dict):
        return False
    if delta.get("content") or delta.get("reasoning") or delta.get("tool_calls"):
        return True
    return delta.get("content") == "" and not delta.get("role")


DEFINITIONS = {
    each.name: each
    for each in (
        Definitions(
            name="aiperf",
            itl_text="aiperf: (last content event - first token) / (output tokens - 1)",
            itl=_per_step(_last),
            tpot=_none,
            e2e=_last,
        ),
        Definitions(
            name="guidellm",
            itl_text="guidellm: (last token - first token) / (output tokens - 1); its TPOT has TTFT in it",
            itl=_per_step(_last),
            tpot=_per_token,
            e2e=_end,
        ),
        Definitions(
            name="servebench",
            itl_text="servebench: gaps between content events, here their mean per stream",
            itl=_mean_gap,
            tpot=_per_step(_done),
            e2e=_done,
            is_token=CONTENT | REASONING,
        ),
        Definitions(
            name="vllm",
            itl_text="vLLM: gaps between events with output, here their mean per stream",
            itl=_mean_gap,
            tpot=_per_step(_last),
            e2e=_last,
            is_token=_is_vllm_output,
        ),
    )
}


def named_definitions(name: str | None) -> Definitions | None:
    """Return a tool's definitions; ValueError, with the names there are, for a tool that is not known."""
    if name is None or name in DEFINITIONS:
        return None if name is None else DEFINITIONS[name]
    raise ValueError(f"expected one of {', '.join(DEFINITIONS)} as definitions, found {name!r}")


def redefined(
    measures: Measures,
    definitions: Definitions,
    *,
    exchange: Exchange,
    answer: Answer,
    stream: TokenStream,
    around: Around,
) -> Measures:
    """Return the measures with TTFT, ITL, TPOT and E2E as another tool would have them.

    Where ours cannot be known for a reason that is not the tool's choice of tokens, neither can these.
    """
    numbers, why = dict(measures.numbers), dict(measures.why)
    tokens = _token_ns(definitions, exchange, answer, stream, around)
    reason: Why = measures.why["ttft_ms"] or "role-only"
    if around.times != "all" and tokens:
        reason, tokens = "not-timed", ()
    seen = _Seen(tokens=tokens, n=stream.output_tokens, end=around.end_ns, done=stream.done_ns)
    cut = None if around.outcome == "complete" else around.outcome
    found: dict[str, tuple[float | None, Why]] = {
        "ttft_ms": (tokens[0] if tokens else None, reason),
        "itl_ms": (definitions.itl(seen) if tokens else None, "single-token" if tokens else reason),
        "tpot_ms": (definitions.tpot(seen) if tokens else None, "single-token" if tokens else reason),
        "e2e_ms": (
            definitions.e2e(seen) if tokens and not cut else None,
            cut or ("no-end-mark" if tokens else reason),
        ),
    }
    if definitions.tpot is _none:
        found["tpot_ms"] = (None, "not-defined")
    elif tokens and definitions.name == "servebench" and stream.done_ns is None:
        found["tpot_ms"] = (None, cut or "no-end-mark")
    for name, (value, because) in found.items():
        numbers[name] = None if value is None else value / NS_PER_MS
        why[name] = because if value is None else None
    return Measures(numbers, why)


def _token_ns(
    definitions: Definitions, exchange: Exchange, answer: Answer, stream: TokenStream, around: Around
) -> _Times:
    kind = definitions.is_token
    if kind is None or not stream.token_ns or around.unmeasured is not None:
        return stream.token_ns
    zero = exchange.request.t_end if exchange.request else 0
    if callable(kind):
        reads = _reads_of_deltas(exchange, stream.choice, kind)
    else:
        rows = answer.rows
        reads = (
            read
            for read, choice, carries in zip(rows.read, rows.choice, rows.carries, strict=True)
            if choice in (stream.choice, NO_CHOICE) and carries & kind
        )
    return [exchange.chunks[read].t - zero for read in reads]


def _reads_of_deltas(exchange: Exchange, choice: int, is_token: Callable[[Any], bool]) -> Iterator[int]:
    pieces, _ = decoded(exchange)
    for event in events(pieces):
        try:
            chunk = msgspec.json.decode(event.data)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            continue
        choices = chunk.get("choices") if isinstance(chunk, dict) else None
        for each in choices if isinstance(choices, list) else ():
            if isinstance(each, dict) and each.get("index", 0) == choice and is_token(each.get("delta")):
                yield event.piece
