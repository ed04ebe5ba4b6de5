"""What goes out for one request: bytes at once, or parts to pace, and what becomes of the connection."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

from tokentape.replay._pacer import Part

Ending: TypeAlias = Literal["open", "close", "reset"]
"""What follows the last part: the next request, the end of the connection, or its reset (TCP RST)."""


class Reply(NamedTuple):
    """What to answer: bytes to write now, or parts to pace; and what becomes of the connection then.

    `recorded_ns` is how long the answer took when it was recorded, 0 if nobody knows.
    """

    now: bytes = b""
    parts: Sequence[Part] = ()
    ending: Ending = "open"
    recorded_ns: int = 0
