"""Where prepared answers are kept: the first of them in memory, the rest in a temporary file without a name.

A large cassette takes its size of disk once more then, and little memory. Answers are not read again from
the cassette itself: that may be compressed or on a pipe, and may be mended or replaced while it is served;
every answer is to stay as it was when it was checked. Invariant: what is written to the file never changes.
"""

import mmap
import tempfile
from collections.abc import Sequence
from types import TracebackType
from typing import IO, Self

from tokentape.replay._packed import Packed
from tokentape.replay.timing._pacer import Part

MAX_HELD_BYTES = 64 * 1024 * 1024


class Store:
    """Keeps the parts of answers. What it returned may be read once its block has ended."""

    def __init__(self, *, max_held_bytes: int | None = None) -> None:
        self._room = MAX_HELD_BYTES if max_held_bytes is None else max_held_bytes
        self._file: IO[bytes] | None = None
        self._written = 0
        self._in_file: list[Packed] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is None:
            return
        with self._file:
            if not self._in_file:
                return
            data = mmap.mmap(self._file.fileno(), self._written, access=mmap.ACCESS_READ)
        for packed in self._in_file:
            packed.data = data

    def add(self, parts: Sequence[Part]) -> Sequence[Part]:
        """Return the parts of an answer, packed."""
        data = b"".join([data for _, data in parts])
        try:
            if len(data) <= self._room:
                self._room -= len(data)
            elif self._write(data):
                packed = Packed(parts, b"", start=self._written - len(data))
                self._in_file.append(packed)
                return packed
            return Packed(parts, data)
        except OverflowError:  # due in centuries
            return parts

    def _write(self, data: bytes) -> bool:
        """Append to the file; False if there is no room for one, and memory must do."""
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(prefix="tokentape-", buffering=0)  # noqa: SIM115
            self._file.seek(self._written)
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            return False
        self._written += len(data)
        return True
