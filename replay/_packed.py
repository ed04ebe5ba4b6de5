"""The parts of an answer without an object for each: all bytes in a row, and where to cut them.

A tuple and a bytes object for a piece take four times what an event of a chat stream has in it. Here a piece
takes 12 to 16 bytes beside its own, and is made when it is asked for. Invariant: what is packed is, as a
sequence, what it was packed from.
"""

from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from mmap import mmap
from typing import TypeAlias, overload

from tokentape.replay.timing._pacer import Part

Bytes: TypeAlias = bytes | mmap
"""What can be cut into bytes."""


class _Parts(Sequence[Part]):
    """A sequence that makes its elements; a slice of it is a tuple."""

    __slots__ = ()

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Part, ...]: ...
    def __getitem__(self, index: int | slice) -> Part | tuple[Part, ...]:
        if isinstance(index, slice):
            return tuple(map(self._at, range(*index.indices(len(self)))))
        if index < 0:
            index += len(self)
            if index < 0:
                raise IndexError("there is no such part")
        return self._at(index)

    @abstractmethod
    def _at(self, position: int) -> Part:
        """Return the part at a position that is not negative; raises IndexError beyond the last."""


class Packed(_Parts):
    """Parts whose bytes are in `data` one after the other, from `start` on.

    Raises OverflowError for an offset that does not fit into 64 bits.
    """

    __slots__ = ("_cuts", "_offsets", "data")

    def __init__(self, parts: Sequence[Part], data: Bytes, *, start: int = 0) -> None:
        self.data = data
        self._offsets = array("q", [offset_ns for offset_ns, _ in parts])
        cuts = [*accumulate((len(data) for _, data in parts), initial=start)]
        self._cuts = array("I" if cuts[-1] < 1 << 32 else "Q", cuts)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[Part]:
        data = self.data
        return zip(self._offsets, (data[start:end] for start, end in pairwise(self._cuts)), strict=True)

    def _at(self, position: int) -> Part:
        cuts = self._cuts
        return self._offsets[position], self.data[cuts[position] : cuts[position + 1]]


class Changed(_Parts):
    """Parts of which the first is another, and the bytes of the others are what `change` makes of them."""

    __slots__ = ("_change", "_first", "_parts")

    def __init__(
        self, parts: Sequence[Part], first: Part, change: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._parts = parts
        self._first = first
        self._change = change

    def __len__(self) -> int:
        return len(self._parts)

    def _at(self, position: int) -> Part:
        if position == 0:
            return self._first
        offset_ns, data = self._parts[position]
        return offset_ns, data if self._change is None else self._change(data)
