"""What a case is, and what must come out of one where nothing else is said: the truth of all of them.

50 tokens, 20 ms apart, the first 200 ms after the request, the last at 1,180 ms. Times are milliseconds; a
moment in what must come out is the one at which the piece that makes it is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

Pieces: TypeAlias = tuple[tuple[int, bytes], ...]
Ending: TypeAlias = Literal["complete", "upstream-error", "client-closed"]

HEADERS_MS = 30
TIMES = tuple(range(200, 1181, 20))


@dataclass(frozen=True, slots=True, kw_only=True)
class Must:
    """What must come out of one choice.

    `tokens_ms` has the moment of each token event. `clocks` and `numbers` are columns of `streams`: a value,
    or the reason why there is none. `equal` are columns that are the same however late the pieces come.
    """

    tokens_ms: Sequence[int]
    clocks: Mapping[str, int | str]
    numbers: Mapping[str, float | str]
    equal: Mapping[str, Any]
    gaps: int
    coalesced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A stream as it is sent, how it ends and when, and what must come out of it.

    `exchange` are columns of `exchanges`; `tokens` the column of `events` for token events, where it has any;
    `read_gaps_ms` the gaps between reads with tokens; `stalls` are token event, gap and moment of each gap
    over 100 ms.
    """

    name: str
    pieces: Pieces
    streams: tuple[Must, ...]
    ending: Ending = "complete"
    end_ms: int
    exchange: Mapping[str, Any] = field(default_factory=dict)
    tokens: int | None = None
    read_gaps_ms: Sequence[int]
    stalls: tuple[tuple[int, int, int], ...] = ()


def must(
    *,
    tokens_ms: Sequence[int] = TIMES,
    clocks: Mapping[str, int | str] | None = None,
    numbers: Mapping[str, float | str] | None = None,
    gaps: int = 49,
    coalesced: int = 0,
    **equal: Any,
) -> Must:
    """Return the truth, but for what is named."""
    known = {
        "headers_ms": HEADERS_MS, "first_byte_ms": 50, "first_event_ms": 50, "ttft_ms": 200,
        "first_reasoning_ms": "no-reasoning", "first_content_ms": 200, "first_tool_call_ms": "no-tool-call",
        "last_token_ms": 1180, "finish_ms": 1190, "done_ms": 1200, "end_ms": 1200, "e2e_ms": 1180,
    }  # fmt: skip
    rates = {
        "itl_ms": 20, "tpot_ms": 20, "gap_p50_ms": 20, "gap_p90_ms": 20, "gap_p99_ms": 20, "gap_max_ms": 20,
        "read_gap_p50_ms": 20, "tokens_per_s": 50, "prompt_tokens": 9,
    }  # fmt: skip
    columns = {
        "outcome": "complete", "finish_reason": "stop", "output_tokens": 50, "token_events": 50,
        "tokens_from": "usage", "text_chars": 100, "dialect": "openai-chat", "choice": 0, "status": 200,
    }  # fmt: skip
    return Must(
        tokens_ms=tokens_ms,
        clocks=known | dict(clocks or {}),
        numbers=rates | dict(numbers or {}),
        equal=columns | equal,
        gaps=gaps,
        coalesced=coalesced,
    )


def case(name: str, pieces: Iterable[tuple[int, bytes]], *streams: Must, **more: Any) -> Case:
    """Return a case that ends with its last piece; without `streams` the truth must come out."""
    sent = tuple(sorted(pieces, key=lambda piece: piece[0]))
    known = {"comments": 0, "unparsed": 0, "error": None, "reads": len(sent)}
    own = {"end_ms": sent[-1][0], "read_gaps_ms": [20] * 49} | more
    own["exchange"] = known | more.get("exchange", {})
    return Case(name=name, pieces=sent, streams=streams or (must(),), **own)
