"""How often was asked and served: the counts by which answers take turns.

Processes that are forked from one that has called `share` count together, as one process would.

Invariant: between `alone` being entered and left, no other process or thread changes a count.
"""

from collections.abc import MutableSequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any


class Counters:
    """`asked` has how often each row of exchanges was asked for, `served` how often each answered."""

    asked: MutableSequence[int]
    served: MutableSequence[int]
    alone: AbstractContextManager[Any]

    def __init__(self, *, rows: int, exchanges: int) -> None:
        self.asked = [0] * rows
        self.served = [0] * exchanges
        self.alone = nullcontext()

    def grow(self, *, rows: int, exchanges: int) -> None:
        """Count for so many from now on. What is shared has its size and cannot grow."""
        self.asked.extend([0] * (rows - len(self.asked)))
        self.served.extend([0] * (exchanges - len(self.served)))

    def clear(self) -> None:
        """Begin from 0 again."""
        with self.alone:
            self.asked[:] = [0] * len(self.asked)
            self.served[:] = [0] * len(self.served)

    def share(self) -> None:
        """Count together with the processes that are forked from now on."""
        import multiprocessing  # noqa: PLC0415  (what it loads is for several processes only)

        context = multiprocessing.get_context("fork")
        self.asked = context.RawArray("q", [*self.asked])
        self.served = context.RawArray("q", [*self.served])
        self.alone = context.Lock()
