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
from tokentape.analysis.measuring._bill import hidden_tokens, shows_all
from tokentape.analysis.measuring._columns import Ints, occurring, plain
from tokentape.dialects import CONTENT, DONE, FINISH, REASONING, TOKEN, TOOL_CALL, WITHHELD, Usage

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
    """Reasoning that is in `output_tokens` and was never streamed, as far as the bill has it apart."""
    withheld: bool = False
    """Whether reasoning was not shown as it was, and not all of it, or perhaps not, before any token."""
    billed_together: bool = False
    """Whether the only bill is of several choices, so that the tokens of this one are not known."""


def streams_of(answer: Answer, read_ns: Ints) -> list[TokenStream]:
    """Return the streams of an answer by choice, at least one: an answer without any has an empty choice 0.

    `read_ns` has the time of each read. The bills of the answer are judged (`_bill`).
    """
    choices = answer.choices or {0: Choice()}
    if not answer.is_stream:
        return [_not_streamed(answer, number, choices[number]) for number in sorted(choices)]
    return [_stream(answer, number, choices[number], read_ns) for number in sorted(choices)]


def _stream(answer: Answer, number: int, choice: Choice, read_ns: Ints) -> TokenStream:
    rows = answer.rows_of(number)
    reads, masks = rows.read, rows.carries
    kinds = occurring(masks)
    seen = reduce(or_, kinds, 0)
    tokens = np.flatnonzero(masks & TOKEN)
    token_reads = reads[tokens]

    def first(bits: int) -> int | None:
        return int(read_ns[reads[(masks & bits != 0).argmax()]]) if seen & bits else None

    usage = _bill_of(answer, choice)
    output, tokens_from = _output_tokens(usage, rows.billed[tokens])
    bill = None if usage is None or usage.output is None else usage
    withheld = bool(seen & WITHHELD and len(tokens)) and _is_withheld(bill, kinds, masks[tokens[0] :])
    return TokenStream(
        choice=number,
        token_ns=plain(read_ns[token_reads]),
        read_ns=plain(read_ns[token_reads[np.diff(token_reads, prepend=-1) != 0]]),
        first_event_ns=int(read_ns[answer.rows.read[0]]) if len(answer.rows.read) else None,
        first_reasoning_ns=first(REASONING),
        first_content_ns=first(CONTENT),
        first_tool_call_ns=first(TOOL_CALL),
        finish_ns=first(FINISH),
        done_ns=first(DONE),
        finish_reason=choice.finish_reason,
        text_chars=sum(map(len, rows.text)),
        output_tokens=output,
        tokens_from=tokens_from,
        hidden_tokens=0 if bill is None else hidden_tokens(bill, rows),
        withheld=withheld,
    )


def _bill_of(answer: Answer, choice: Choice) -> Usage | None:
    """Return the bill of a choice: that of the answer if there is no other choice, else its own."""
    return choice.usage if len(answer.choices) > 1 else answer.usage


def _output_tokens(usage: Usage | None, billed: Ints) -> tuple[int | None, TokensFrom | None]:
    """Return how many tokens a choice has, and how that is known; `billed` is what each token event says."""
    tokens = len(billed)
    if usage is not None and usage.output is not None:
        per_chunk = tokens > 1 and not (billed == NO_COUNT).any()
        return usage.output, "usage-per-chunk" if per_chunk else "usage"
    return (tokens, "chunks") if tokens else (None, None)


def _is_withheld(bill: Usage | None, kinds: list[int], from_first_token: Ints) -> bool:
    """Whether tokens that were not shown were made after the first token, or may have been.

    `kinds` are all masks of a stream that withholds something, `from_first_token` those of each row. Without
    a bill, events are counted; those of a summary are no tokens of what was summarised.
    """
    is_summarised = any(mask & REASONING and mask & WITHHELD for mask in kinds)
    is_amid = bool((from_first_token & WITHHELD).any())
    if bill is None:
        return is_summarised or is_amid
    if bill.reasoning == 0:  # then there was nothing to withhold, and a summary is no part of the bill
        return is_summarised
    return bill.reasoning is None or shows_all(kinds) or is_amid


def _not_streamed(answer: Answer, number: int, choice: Choice) -> TokenStream:
    usage = _bill_of(answer, choice)
    output = usage.output if usage else None
    return TokenStream(
        choice=number,
        finish_reason=choice.finish_reason,
        text_chars=len(choice.text),
        output_tokens=output,
        tokens_from=None if output is None else "usage",
        billed_together=output is None and answer.usage is not None and answer.usage.output is not None,
    )
