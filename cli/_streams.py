"""The streams that a verb is started with, of which any may be closed.

The invariant: no file that a verb opens gets the number of one of them, and what is written to a standard
output that is closed is an error. Python would have None there, to which click prints nothing in silence.
"""

import errno
import io
import os
import sys
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class ClosedOutput(io.TextIOBase):
    """Stands where standard output was closed. Whatever is written to it raises OSError."""

    encoding = "utf-8"
    name = "-"

    def write(self, text: str, /) -> int:
        if not text:  # click asks so whether it is text that is taken
            return 0
        raise _closed("output")

    @property
    def buffer(self) -> BinaryIO:
        raise _closed("output")


class _Output(io.FileIO):
    """Standard output. An error of it, as of a disk that is full, has its name."""

    def write(self, data: "Buffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise type(error)(error.errno, error.strerror, "standard output") from None


def guard() -> None:
    """Take the numbers of closed streams, and let no output be lost in silence."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: this one
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show a character shows its code
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        sys.stdout = ClosedOutput()
    elif type(sys.stdout) is io.TextIOWrapper:
        sys.stdout = _named(sys.stdout)


def _named(stream: io.TextIOWrapper) -> io.TextIOWrapper:
    """Return the same stream, whose errors say which it is; what is no file of the system stays as it is."""
    raw = getattr(stream.buffer, "raw", stream.buffer)
    if type(raw) is not io.FileIO or raw.fileno() != 1:
        return stream
    stream.flush()
    output = _Output(1, "w", closefd=False)
    return io.TextIOWrapper(
        output if stream.buffer is raw else io.BufferedWriter(output),  # the first with PYTHONUNBUFFERED
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def drop_output() -> None:
    """Have what standard output did not take be forgotten, or Python says it again at the end."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def _closed(which: str) -> OSError:
    return OSError(errno.EBADF, f"expected standard {which} to be open, found it closed", "-")
