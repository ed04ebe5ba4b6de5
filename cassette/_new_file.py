"""A file that is made from others: in its place only when it is whole.

Until it is finished it lies beside its place, and is taken away when something goes wrong, so that
neither half a file nor the loss of an old one comes of an error.
"""

import errno
import os
import sys
import tempfile
from contextlib import suppress
from os import PathLike, fspath
from types import TracebackType
from typing import BinaryIO, Self

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What only writing meets: no space, no quota, too large."""


class NewFile:
    """A context manager: at its end the file is in its place, unless an error ends it.

    What goes into it is written to `file`. A path of `-` is standard output. Only its owner can read the
    file. With `overwrite`, a symbolic link stays, and what it leads to is replaced, as if it were opened.

    Raises OSError before anything is written: FileExistsError if the file exists and `overwrite` is not
    set, or if it is no regular file (a device, a pipe), of which nothing but its name would be replaced.
    Other operating system errors are raised as they are.
    """

    def __init__(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        self.path = fspath(path)
        self._overwrite = overwrite
        self._beside = ""
        if self.path == "-":
            self.file: BinaryIO = sys.stdout.buffer
            return
        if not overwrite and os.path.lexists(self.path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), self.path)
        self._place = _place_of(self.path) if overwrite else os.path.abspath(self.path)
        folder, name = os.path.split(self._place)
        try:
            descriptor, self._beside = tempfile.mkstemp(prefix=f".{name}.", dir=folder)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, self.path) from None
        self.file = os.fdopen(descriptor, "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
            elif isinstance(value, OSError):
                raise value
        except OSError as error:
            if error.errno in _FULL or (self._beside and error.filename == self._beside):
                # Named for the file that is made, and not for the one beside it.
                raise type(error)(error.errno, error.strerror, self.path) from None
            raise
        finally:
            if self._beside:
                with suppress(OSError):  # what a full disk did not take, it does not take now
                    self.file.close()
                with suppress(FileNotFoundError):  # it is in its place
                    os.unlink(self._beside)

    def _finish(self) -> None:
        self.file.flush()
        if not self._beside:
            return
        os.fsync(self.file.fileno())
        self.file.close()
        if self._overwrite:
            os.replace(self._beside, self._place)
        else:
            _rename_to_new(self._beside, self.path)


def _place_of(path: str) -> str:
    """Return the file that is to be replaced, at the end of symbolic links."""
    place = os.path.realpath(path)
    if os.path.isdir(place):
        raise IsADirectoryError(errno.EISDIR, "expected a file to overwrite, found a folder", path)
    if os.path.lexists(place) and not os.path.isfile(place):
        raise FileExistsError(errno.EEXIST, "expected a regular file to overwrite, found another", path)
    return place


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
