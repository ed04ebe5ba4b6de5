"""What goes out for one request: bytes at once, or parts to pace, and what becomes of the connection."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol, TypeAlias

from tokentape.replay.timing._pacer import Part

Ending: TypeAlias = Literal["open", "close", "reset"]
"""What follows the last part: the next request, the end of the connection, or its reset (TCP RST)."""


class Relayed(Protocol):
    """An answer that somebody else gives, while the client waits.

    `stays`: it is gone on with for a client that sends no more, which may still read or may be gone.
    """

    @property
    def stays(self) -> bool:
        """See above."""

    def begin(self, write: Callable[[bytes], None], ended: Callable[[Ending], None]) -> None:
        """Give to `write` what comes, and in the end to `ended` what becomes of the connection."""

    def hold(self) -> None:
        """Let nothing come for a while: the client does not read."""

    def release(self) -> None:
        """Go on."""

    def halt(self) -> None:
        """End it: the client is gone. Neither function is called any more."""


class Reply(NamedTuple):
    """What to answer: bytes to write now, parts to pace, or a live answer, which says itself how it ends.

    `ending` is what becomes of the connection then. `recorded_ns` is how long the answer took when it was
    recorded, 0 if nobody knows. `again`: when `live` has ended, the same request is answered anew.
    """

    now: bytes = b""
    parts: Sequence[Part] = ()
    ending: Ending = "open"
    recorded_ns: int = 0
    live: Relayed | None = None
    again: bool = False
