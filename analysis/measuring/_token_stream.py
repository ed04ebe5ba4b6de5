"""The tokens of one choice with their times: what every dialect comes down to and every metric is made of.

Times are integer nanoseconds since the request was complete. A moment that never came is None.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Literal, TypeAlias

import numpy as np

from tokentape.analysis.measuring._answer import NO_COUNT, Answer, Choice
from tokentape.analysis.measuring._columns import Ints, occurring, plain
from tokentape.dialects import CONTENT, DONE, FINISH, NO_CHOICE, REASONING, TOKEN, TOOL_CALL

TokensFrom: TypeAlias = Literal["usage", "usage-per-chunk", "tokenizer", "chunks"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenStream:
    """One choice of one answer."""

    choice: int
    token_ns: Sequence[int] = ()
    """When each event that carries generated text arrived."""
    read_ns: Sequence[int] = ()
    """When each read that carried generated text of this choice arrived."""
    first_event_ns: int | None = None
    first_reasoning_ns: int | None = None
    first_content_ns: int | None = None
    first_tool_call_ns: int | None = None
    finish_ns: int | None = None
    done_ns: int | None = None
    finish_reason: str | None = None
    text_chars: int = 0
    output_tokens: int | None = None
    tokens_from: TokensFrom | None = None
    hidden_tokens: int = 0
    """Reasoning that is in `output_tokens` and was never streamed."""


def streams_of(answer: Answer, read_ns: Ints) -> list[TokenStream]:
    """Return the streams of an answer by choice, at least one: an answer without any has an empty choice 0.

    `read_ns` has the time of each read.
    """
    choices = answer.choices or {0: Choice()}
    if not answer.is_stream:
        return [_not_streamed(answer, number, choices[number]) for number in sorted(choices)]
    return [_stream(answer, number, choices[number], read_ns) for number in sorted(choices)]


def _stream(answer: Answer, number: int, choice: Choice, read_ns: Ints) -> TokenStream:
    rows = answer.rows
    reads, masks, events, billed, texts = rows.read, rows.carries, rows.event, rows.billed, rows.text
    if len(answer.choices) > 1:
        own = np.flatnonzero((rows.choice == number) | (rows.choice == NO_CHOICE))
        reads, masks, events, billed = reads[own], masks[own], events[own], billed[own]
        texts = [texts[row] for row in own.tolist()]
    seen = reduce(or_, occurring(masks), 0)
    tokens = np.flatnonzero(masks & TOKEN)
    token_reads = reads[tokens]

    def first(bits: int) -> int | None:
        return int(read_ns[reads[(masks & bits != 0).argmax()]]) if seen & bits else None

    output, tokens_from = _output_tokens(
        answer, choice, billed[tokens], int(events[tokens[-1]]) if len(tokens) else -1
    )
    return TokenStream(
        choice=number,
        token_ns=plain(read_ns[token_reads]),
        read_ns=plain(read_ns[token_reads[np.diff(token_reads, prepend=-1) != 0]]),
        first_event_ns=int(read_ns[rows.read[0]]) if len(rows.read) else None,
        first_reasoning_ns=first(REASONING),
        first_content_ns=first(CONTENT),
        first_tool_call_ns=first(TOOL_CALL),
        finish_ns=first(FINISH),
        done_ns=first(DONE),
        finish_reason=choice.finish_reason,
        text_chars=sum(map(len, texts)),
        output_tokens=output,
        tokens_from=tokens_from,
        hidden_tokens=_hidden_tokens(answer, choice, seen, texts, tokens_from),
    )


def _output_tokens(
    answer: Answer, choice: Choice, billed: Ints, last_token_event: int
) -> tuple[int | None, TokensFrom | None]:
    """Return how many tokens a choice has, and how that is known.

    Usage is cumulative: its last value is taken. It is of all choices together, so with several of them
    only one inside the choice is of any use. A bill of 0 for text that was seen is no bill, and neither
    is one that was followed by more text and no end: the rest of the text is not in it.
    """
    tokens = len(billed)
    if choice.usage is not None and choice.usage.output is not None and (choice.usage.output or not tokens):
        return choice.usage.output, "usage"
    usage = answer.usage if len(answer.choices) <= 1 else None
    if usage is not None and usage.output is not None and (usage.output or not tokens):
        is_stale = answer.usage_event < last_token_event and not (answer.ended or choice.finish_reason)
        if not is_stale:
            per_chunk = tokens > 1 and not (billed == NO_COUNT).any()
            return usage.output, "usage-per-chunk" if per_chunk else "usage"
    return (tokens, "chunks") if tokens else (None, None)


def _hidden_tokens(
    answer: Answer, choice: Choice, seen: int, texts: Sequence[str], tokens_from: TokensFrom | None
) -> int:
    usage = choice.usage or answer.usage
    if tokens_from in (None, "chunks") or usage is None or not usage.reasoning:
        return 0
    if seen & REASONING or any("<think" in text for text in texts):
        return 0
    return usage.reasoning


def _not_streamed(answer: Answer, number: int, choice: Choice) -> TokenStream:
    usage = choice.usage or (answer.usage if len(answer.choices) == 1 else None)
    output = usage.output if usage else None
    return TokenStream(
        choice=number,
        finish_reason=choice.finish_reason,
        text_chars=len(choice.text),
        output_tokens=output,
        tokens_from=None if output is None else "usage",
    )
