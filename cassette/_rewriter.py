"""Writes a cassette that is made from others: buffered, and in its place only when it is whole.

`Writer` is for what happens now and must not be lost; this is for what can be done again.
"""

from os import PathLike
from types import TracebackType
from typing import Self

import zstandard

from tokentape.cassette._errors import RecordTooLarge
from tokentape.cassette._framing import MAGIC, MAX_RECORD_BYTES, frame
from tokentape.cassette._new_file import NewFile
from tokentape.cassette._records import Known, encode


class Rewriter:
    """A context manager: at its end the cassette is in its place, unless an error ends it.

    A path that ends in `.zst` is compressed with zstd; `-` is standard output. Only its owner can read
    the file. Raises FileExistsError, before anything is written, if the file exists and `overwrite` is
    not set; other operating system errors are raised as they are.
    """

    def __init__(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        self._new = NewFile(path, overwrite=overwrite)
        self.path = self._new.path
        self._out = (
            zstandard.ZstdCompressor().stream_writer(self._new.file, closefd=False)
            if self.path.endswith(".zst")
            else self._new.file
        )
        self._out.write(MAGIC)

    def write(self, record: Known) -> None:
        """Append a record. Raises `RecordTooLarge` if readers would refuse it."""
        self.copy(encode(record))

    def copy(self, payload: bytes) -> None:
        """Append a record as it was read, with what this version does not know of it (`Entry.payload`)."""
        if len(payload) > MAX_RECORD_BYTES:
            raise RecordTooLarge(
                f"{self.path}: a record of {len(payload)} bytes is longer than the {MAX_RECORD_BYTES} allowed"
            )
        self._out.write(frame(payload))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._new:
            if value is not None:
                raise value  # for the file to be taken away
            if self._out is not self._new.file:
                self._out.close()
