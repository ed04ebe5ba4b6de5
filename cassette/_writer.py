"""Writes a cassette so that whatever the writer has returned from is in the file.

Each record is one `write()` to the operating system, with no buffer of our own in between: when the
process is killed, every record that was written is there. A byte once written never changes. What a
power failure may take is what came since the last `sync()`.
"""

import os
from os import PathLike, fspath
from types import TracebackType
from typing import Self

from tokentape.cassette._errors import RecordTooLarge
from tokentape.cassette._framing import MAGIC, MAX_RECORD_BYTES, frame
from tokentape.cassette._records import Known, Section, encode

try:
    import fcntl
except ImportError:  # Windows, where two writers are not kept apart
    fcntl = None  # type: ignore[assignment]

_datasync = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have only fsync


class Writer:
    """Writes records to a new file, which only its owner can read.

    An existing file is refused with FileExistsError, unless `overwrite` is set: then it is replaced at
    the first write, and never while another writer has it. Other operating system errors (no such
    folder, no permission, disk full) are raised as the OSError that they are.
    """

    def __init__(self, path: str | PathLike[str], section: Section, *, overwrite: bool = False) -> None:
        self.path = fspath(path)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd = os.open(self.path, flags | (0 if overwrite else os.O_EXCL), 0o600)
        try:
            if fcntl is not None:
                _lock(self._fd, self.path)
            if overwrite:
                os.ftruncate(self._fd, 0)
            os.write(self._fd, MAGIC)
            self.write(section)
        except BaseException:
            os.close(self._fd)
            self._fd = -1
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether nothing can be written any more."""
        return self._fd < 0

    @property
    def size(self) -> int:
        """How many bytes the file has: where the next record will begin. 0 once it is closed."""
        return 0 if self.closed else os.fstat(self._fd).st_size

    def write(self, record: Known) -> None:
        """Append a record; when this returns, the operating system has it.

        Raises `RecordTooLarge`, and writes nothing, if readers would refuse it; ValueError after
        `close()`; OSError if the system does not take it all, and then the file is left with whole
        records only.
        """
        payload = encode(record)
        if len(payload) > MAX_RECORD_BYTES:
            raise RecordTooLarge(
                f"{self.path}: a record of {len(payload)} bytes is longer than the {MAX_RECORD_BYTES} allowed"
            )
        framed = frame(payload)
        # The recorder comes through here with every piece before the client gets it: no more calls than
        # these, and what can go wrong is looked at afterwards.
        try:
            written = os.write(self._fd, framed)
        except OSError:
            if self.closed:
                raise ValueError(f"{self.path}: the cassette was closed") from None
            raise
        if written != len(framed):
            # The disk is full or a size limit was reached in the middle of the record. The part of it
            # that went in is taken back: it was never promised, and readers find a whole file.
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
            raise OSError(
                f"{self.path}: the system took {written} of {len(framed)} bytes (is the disk full?)"
            )

    def sync(self) -> None:
        """Have what was written so far survive a power failure. May take as long as the disk does."""
        if not self.closed:
            _datasync(self._fd)

    def close(self) -> None:
        """Sync and close. Closing twice does no harm."""
        if not self.closed:
            fd, self._fd = self._fd, -1
            try:
                _datasync(fd)
            finally:
                os.close(fd)


def _lock(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(error.errno, "another recorder is writing to it", path) from None
