"""What an event carries, in the words of no provider: the values every dialect turns its events into.

A dialect reads one event at a time. It says, for each choice, which kinds of generated text the event
brought and whether it finished the choice; what was billed, which model answered, and whether the event
was an error or the end mark. What an event does not carry is absent, never zero.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import msgspec

from tokentape.cassette import ServerSentEvent

# Bits of `carries`. Plain integers: an enum.Flag costs more than decoding the event's JSON.
REASONING = 1
CONTENT = 2
TOOL_CALL = 4
REFUSAL = 8
AUDIO = 16
TOKEN = REASONING | CONTENT | TOOL_CALL | REFUSAL | AUDIO
"""Generated text of any kind: what makes an event a token of its stream."""
FINISH = 32
USAGE = 64
DONE = 128
ERROR = 256
OWN_USAGE = 512
UNPARSED = 1024
"""The event's data is not what the dialect speaks: whatever it brought is not known."""
WITHHELD = 2048
"""Reasoning was generated, and billed, of which the event shows a summary (with `REASONING`) or nothing."""

NAMES = {
    REASONING: "reasoning",
    CONTENT: "content",
    TOOL_CALL: "tool_call",
    REFUSAL: "refusal",
    AUDIO: "audio",
    WITHHELD: "withheld",
    FINISH: "finish",
    USAGE: "usage",
    DONE: "done",
    ERROR: "error",
    OWN_USAGE: "own-usage",
    UNPARSED: "unparsed",
}


def name_of(carries: int) -> str:
    """Return the words for a mask, such as `content+finish`; `nothing` for 0."""
    return "+".join(name for bit, name in NAMES.items() if carries & bit) or "nothing"


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What was billed so far, in tokens; None where the provider did not say.

    `prompt` is the whole prompt: also what came from a cache or went into one, which some bill apart.
    `output` has all reasoning in it, also where the provider counts that apart. `cached` is the part of
    the prompt that the provider took from its cache.
    """

    prompt: int | None = None
    output: int | None = None
    reasoning: int | None = None
    cached: int | None = None


NO_CHOICE = -1


class Carried(msgspec.Struct, frozen=True, gc=False):
    """What one event carries of one choice, or of none (`NO_CHOICE`). These are the rows of the events table.

    `carries` is a mask of the bits above; `text` has the generated text of all kinds in it. `usage` is
    for the whole exchange, `own_usage` for this choice alone.
    """

    choice: int = NO_CHOICE
    carries: int = 0
    text: str = ""
    model: str | None = None
    usage: Usage | None = None
    finish: str | None = None
    own_usage: Usage | None = None
    error: str | None = None


NOTHING = (Carried(),)
END_MARK = (Carried(carries=DONE),)

Buffer: TypeAlias = bytes | bytearray | memoryview
Read = Callable[[ServerSentEvent], Sequence[Carried]]
"""Reads one event: a `Carried` for each choice in it, or a single one without a choice. Never empty."""


class Dialect(Protocol):
    """One provider API's way to put a generation into events. Nothing of it raises, whatever comes."""

    @property
    def name(self) -> str:
        """The dialect's name in tables and on the command line."""

    @property
    def counts_tokens(self) -> bool:
        """Whether its events tell what is a token; False for a stream that is not understood."""

    def claims_path(self, path: str) -> bool:
        """Whether a request to this path (without query) is of the dialect."""

    def claims(self, value: dict[str, Any]) -> bool:
        """Whether the object in an event, or one that is a whole answer, has the dialect's shape."""

    def reader(self) -> Read:
        """Return a function that reads one stream's events in order."""

    def read_answer(self, body: bytes) -> Sequence[Carried]:
        """Return what an answer that was not streamed carries: one for each choice, or one without."""


class Contents(NamedTuple):
    """What many events carry that each have a piece of content of one choice, and all of them a bill or none.

    Neither says which model answered.
    """

    text: list[str]
    choice: list[int]
    billed: list[int]
    """The output tokens of each event's bill."""
    usage: Usage | None
    """The bill of the last."""


@runtime_checkable
class ReadsLines(Protocol):
    """A dialect whose events can be read by the thousand: each is by itself, and its data is an object."""

    def read_lines(self, lines: Buffer) -> list[Sequence[Carried]]:
        """Return for many events, whose data stands in `lines` with whitespace between, what each carries.

        It is what `reader()` returns for them as events of the type `message`. Raises ValueError where it
        cannot tell; there may be more or fewer than there were events if the data of any is not one object.
        """

    def read_contents(self, lines: Buffer) -> Contents | None:
        """Return the same in columns, if these events carry nothing but contents; else None."""
