"""Chat-completion chunks by the thousand that each carry a piece of content and nothing else.

The types here *are* the rules: what decodes into them is a chunk of one choice with some content and
perhaps a bill, without a finish, reasoning, tool calls, an error or anything else that a chunk can carry. So
nothing is left to be asked of each chunk, and nothing is made of it but its text: that takes half of the
time of `read_chunk`. Whatever else is among the chunks does not decode, and is left to that.

The invariant: what is said of chunks here is what `read_chunk` says of them. A test compares the two.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from tokentape.dialects._carried import Buffer, Contents, Usage
from tokentape.dialects._json import MAX_COUNT

MAX_CHOICE = 2**16
_Count = Annotated[int, Meta(ge=0, lt=MAX_COUNT)]


class _Message(msgspec.Struct, gc=False):
    content: Annotated[str, Meta(min_length=1)]
    reasoning_content: None = None
    reasoning: None = None
    reasoning_details: None = None
    tool_calls: None = None
    function_call: None = None
    refusal: None = None
    audio: None = None


class _Choice(msgspec.Struct, gc=False):
    delta: _Message
    index: Annotated[int, Meta(ge=0, lt=MAX_CHOICE)]
    finish_reason: Literal[""] | None = None
    usage: None = None


class _Usage(msgspec.Struct, gc=False):
    prompt_tokens: _Count
    completion_tokens: _Count
    completion_tokens_details: None = None
    prompt_tokens_details: None = None
    prompt_cache_hit_tokens: None = None
    cached_tokens: None = None


class _Chunk(msgspec.Struct, gc=False):
    choices: tuple[_Choice]
    usage: _Usage | None = None
    object: Literal["chat.completion.chunk", "chat.completion", ""] | None = None
    error: None = None
    x_groq: None = None


_decode_lines = msgspec.json.Decoder(_Chunk).decode_lines


def read_contents(lines: Buffer) -> Contents | None:
    """Return what chunks carry, of which nothing but whitespace is between the objects.

    None if there is any among them that carries something else, or if only some of them have a bill.
    """
    try:
        chunks = _decode_lines(lines)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    choices = [chunk.choices[0] for chunk in chunks]
    bills = [bill for chunk in chunks if (bill := chunk.usage) is not None]
    if not choices or len(bills) not in (0, len(choices)):
        return None
    return Contents(
        text=[choice.delta.content for choice in choices],
        choice=[choice.index for choice in choices],
        billed=[bill.completion_tokens for bill in bills],
        usage=Usage(bills[-1].prompt_tokens, bills[-1].completion_tokens) if bills else None,
    )
