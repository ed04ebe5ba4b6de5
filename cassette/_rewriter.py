"""Writes a cassette that is made from others: buffered, and in its place only when it is whole.

`Writer` is for what happens now and must not be lost; this is for what can be done again. Until it is
finished the cassette is a file beside its place, which is taken away when something goes wrong, so that
neither half a cassette nor the loss of an old one comes of an error.
"""

import errno
import os
import sys
import tempfile
from contextlib import suppress
from os import PathLike, fspath
from types import TracebackType
from typing import BinaryIO, Self

import zstandard

from tokentape.cassette._errors import RecordTooLarge
from tokentape.cassette._framing import MAGIC, MAX_RECORD_BYTES, frame
from tokentape.cassette._records import Known, encode


class Rewriter:
    """A context manager: at its end the cassette is in its place, unless an error ends it.

    A path that ends in `.zst` is compressed with zstd; `-` is standard output. Only its owner can read
    the file. Raises FileExistsError, before anything is written, if the file exists and `overwrite` is
    not set; other operating system errors are raised as they are.
    """

    def __init__(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        self.path = fspath(path)
        self._overwrite = overwrite
        self._beside = ""
        if self.path == "-":
            self._file: BinaryIO = sys.stdout.buffer
        else:
            if not overwrite and os.path.lexists(self.path):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)
            folder, name = os.path.split(os.path.abspath(self.path))
            try:
                descriptor, self._beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
            except OSError as error:
                raise type(error)(error.errno, error.strerror, self.path) from None
            self._file = os.fdopen(descriptor, "wb")
        self._out = (
            zstandard.ZstdCompressor().stream_writer(self._file, closefd=False)
            if self.path.endswith(".zst")
            else self._file
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
        try:
            self._out.write(frame(payload))
        except OSError as error:
            raise self._named(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        except FileExistsError:
            raise
        except OSError as error:
            raise self._named(error) from None
        finally:
            if self._beside:
                with suppress(OSError):  # what a full disk did not take, it does not take now
                    self._file.close()
                with suppress(FileNotFoundError):  # it is in its place
                    os.unlink(self._beside)

    def _named(self, error: OSError) -> OSError:
        """Return the error with the name of the file that is made, not of the one beside it."""
        return type(error)(error.errno, error.strerror, self.path)

    def _finish(self) -> None:
        if self._out is not self._file:
            self._out.close()
        self._file.flush()
        if not self._beside:
            return
        os.fsync(self._file.fileno())
        self._file.close()
        if self._overwrite:
            os.replace(self._beside, self.path)
        else:
            _rename_to_new(self._beside, self.path)


def _rename_to_new(source: str, target: str) -> None:
    """Give a file a name that must be free; a link refuses also one that was taken only just now."""
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)
