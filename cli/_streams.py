"""The streams that a verb is started with, of which any may be closed.

The invariant: no file that a verb opens gets the number of one of them, and what is written to a standard
output that is closed is an error. Python would have None there, to which click prints nothing in silence.
"""

import errno
import io
import os
import sys
from typing import BinaryIO


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


def _closed(which: str) -> OSError:
    return OSError(errno.EBADF, f"expected standard {which} to be open, found it closed", "-")
