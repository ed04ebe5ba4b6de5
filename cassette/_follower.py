"""Reads a cassette that is being written, as far as its records are whole.

The invariant: what `poll` yields over time is what a reader of the finished file yields, and a record that
is only partly there is waited for. It is never taken for damage: a writer writes a record at once, but
a reader may see the beginning of it first. Only where the file goes on behind what is no whole record is
there damage; the follower goes on at the next whole record and lists it in `damage`.

A file that is replaced by another of the same name (rotated), emptied, or written anew is followed from its
start. Nothing of what was read is kept but the bytes of the record that is not whole yet.
"""

import os
from collections.abc import Iterator
from os import PathLike, fspath
from types import TracebackType
from typing import BinaryIO, Self

from tokentape.cassette._errors import NotACassette, Unreadable
from tokentape.cassette._framing import (
    HEADER_BYTES,
    MAGIC,
    MAX_RECORD_BYTES,
    Damage,
    read_frames,
    stated_size,
)
from tokentape.cassette._records import Record, Section, check_version, decode

_MOST_DAMAGE = 100  # entries of `damage`
_HEAD = 64  # bytes at the start that tell one recording from another: they hold its first checksum


class Follower:
    """Follows one file, which need not exist yet. A context manager that closes it.

    `generation` counts the files that were begun: when it has grown, what was yielded before is of another
    recording. `size` is the file's, in bytes; None while there is none. `damage` lists what was passed over
    in this file, at most the latest hundred.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = fspath(path)
        self.generation = 0
        self.size: int | None = None
        self.damage: list[Damage] = []
        self._file: BinaryIO | None = None
        self._offset = 0
        self._head = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def position(self) -> int:
        """How many bytes of the file were read, as records or as damage."""
        return self._offset

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Iterator[Record]:
        """Return the records that became whole since the last poll; iterate them before the next one.

        `generation` and `size` are up to date when this returns. Raises `NotACassette` if the file is
        something else (or compressed: such a one does not grow), `UnsupportedVersion` (while it is
        iterated) and `Unreadable`.
        """
        try:
            self._look()
            if self._file is None or not self._magic_is_there(self._file):
                return iter(())
        except OSError as error:
            raise Unreadable(f"{self.path}: expected a readable cassette: {error.strerror}") from None
        return self._records(self._file)

    def _look(self) -> None:
        """Find out whether the file is there, and is the one that was read before."""
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            found = None
        if self._file is not None:
            mine = os.fstat(self._file.fileno())
            if found is not None and os.path.samestat(mine, found):
                if mine.st_size < self._offset or not self._is_same_recording(self._file):
                    self._begin(self._file)
                self.size = mine.st_size
                return
            if mine.st_size > self._offset and mine.st_size != self.size:
                self.size = mine.st_size  # the rest of a file that is not in its place any more comes first
                return
            self.close()
        if found is None:
            self.size = None
            return
        self._file = open(self.path, "rb", buffering=0)  # noqa: SIM115
        self.size = os.fstat(self._file.fileno()).st_size
        self._begin(self._file)

    def _is_same_recording(self, file: BinaryIO) -> bool:
        file.seek(0)
        return file.read(len(self._head)) == self._head

    def _begin(self, file: BinaryIO) -> None:
        file.seek(0)
        self.generation += 1
        self.damage = []
        self._offset = 0
        self._head = b""

    def _magic_is_there(self, file: BinaryIO) -> bool:
        if self._offset:
            return True
        file.seek(0)
        head = file.read(len(MAGIC))
        if not MAGIC.startswith(head):
            raise NotACassette(
                f"{self.path}: expected a cassette, which begins with {MAGIC!r}; found {head!r} "
                "(one that is compressed does not grow, and is not followed)"
            )
        self._offset = len(MAGIC) if head == MAGIC else 0
        return head == MAGIC

    def _records(self, file: BinaryIO) -> Iterator[Record]:
        if len(self._head) < _HEAD:
            file.seek(0)
            self._head = file.read(_HEAD)
        file.seek(self._offset)
        needed = stated_size(file.read(HEADER_BYTES))
        if needed is not None and HEADER_BYTES < needed <= MAX_RECORD_BYTES and not self._has(file, needed):
            return  # without reading what there is of it again and again
        file.seek(self._offset)
        for item in read_frames(file.read, offset=self._offset, growing=True):
            if isinstance(item, Damage):
                self._found(item)
                self._offset = item.offset + item.length
                continue
            self._offset = item.offset + HEADER_BYTES + len(item.payload)
            try:
                record = decode(item.payload)
            except ValueError as error:
                self._found(Damage(item.offset, HEADER_BYTES + len(item.payload), str(error)))
                continue
            if isinstance(record, Section):
                check_version(record, self.path)
            yield record

    def _has(self, file: BinaryIO, size: int) -> bool:
        return os.fstat(file.fileno()).st_size - self._offset >= size

    def _found(self, damage: Damage) -> None:
        self.damage = [*self.damage[1 - _MOST_DAMAGE :], damage]
