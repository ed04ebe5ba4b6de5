"""What a server knows of each connection, whatever stage it is in."""

from typing import Protocol

from tokentape.replay.serving._patience import Overdue


class Party(Protocol):
    """A connection: one that is answered, or one that is still finding out what it speaks."""

    @property
    def busy(self) -> bool:
        """Whether an answer is on its way or a request waits for its own."""

    def finish(self) -> None:
        """Take no more requests, and close after the answer that is on its way."""

    def abort(self) -> None:
        """Close at once, whatever is on its way."""

    def end_if_overdue(self, now_ns: int) -> Overdue | None:
        """Close it if something is overdue, and return what."""
