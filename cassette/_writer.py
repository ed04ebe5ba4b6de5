"""Writes a cassette so that whatever the writer has returned from is in the file.

Each record is one `write()` to the operating system, with no buffer of our own in between: when the
process is killed, every record that was written is there. A byte once written never changes. What a
power failure may take is what came since the last `sync()`.
"""

import errno
import os
import stat
from os import PathLike, fspath
from types import TracebackType
from typing import NoReturn, Self

from tokentape.cassette._appending import lead_to_append
from tokentape.cassette._errors import RecordTooLarge
from tokentape.cassette._framing import MAGIC, MAX_RECORD_BYTES, Damage, frame
from tokentape.cassette._records import Known, Section, encode

try:
    import fcntl
except ImportError:  # Windows, where two writers are not kept apart
    fcntl = None  # type: ignore[assignment]

_datasync = getattr(os, "fdatasync", os.fsync)  # macOS and Windows have only fsync


class Writer:
    """Writes records to a file. One that is new or replaced can be read by its owner only.

    An existing file is refused with FileExistsError, unless `overwrite` or `append` is set: then it is
    replaced at the first write, or goes on with the section, but never while another writer has it: that
    is refused with BlockingIOError, which says who has it. What cannot be appended to is refused as the
    `CassetteError` that reading it would raise, or `NotAppendable`. Other operating system errors (no such
    folder, no permission, disk full) are raised as the OSError that they are. A refused file is left as it
    was, and one that could not be begun is taken away again.

    `torn` is what the file that it goes on in ends with, if that is cut off: it stays there.
    """

    def __init__(
        self, path: str | PathLike[str], section: Section, *, overwrite: bool = False, append: bool = False
    ) -> None:
        self.path = fspath(path)
        self.torn: Damage | None = None
        flags = os.O_WRONLY | os.O_APPEND | getattr(os, "O_BINARY", 0)
        self._fd, new = _opened(self.path, flags, existing=overwrite or append)
        try:
            if fcntl is not None:
                _lock(self._fd, self.path)
            lead = MAGIC
            if append and not new:
                lead, self.torn = lead_to_append(self.path)
            elif overwrite:
                os.ftruncate(self._fd, 0)
                if hasattr(os, "fchmod"):  # not on Windows before Python 3.13
                    os.fchmod(self._fd, 0o600)
            self._append(lead + frame(encode(section)))
        except BaseException:
            os.close(self._fd)
            self._fd = -1
            if new:
                os.unlink(self.path)
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

    @property
    def removed(self) -> bool:
        """Whether the file has no name any more: what is written will be gone when it is closed."""
        return not self.closed and os.fstat(self._fd).st_nlink == 0

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
            self._take_back(written, len(framed))

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

    def _append(self, data: bytes) -> None:
        written = os.write(self._fd, data)
        if written != len(data):
            self._take_back(written, len(data))

    def _take_back(self, written: int, size: int) -> NoReturn:
        """Leave whole records only, when the disk is full or a size limit was reached in the middle of one.

        The part of it that went in was never promised.
        """
        os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        raise OSError(
            errno.ENOSPC,
            f"the system took {written} of {size} bytes (is the disk full?)",
            self.path,
        )


def _opened(path: str, flags: int, *, existing: bool) -> tuple[int, bool]:
    """Return a descriptor of the file, and whether it is new; what exists is opened if it may be."""
    while True:
        try:
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True
        except FileExistsError:
            if not existing:
                raise
        try:
            # Without O_NONBLOCK, a FIFO would have us wait for somebody who reads it.
            descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:  # it went away in between
            continue
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            return descriptor, False
        os.close(descriptor)
        raise OSError(errno.EINVAL, "expected a file, found something that is none", path)


def _lock(fd: int, path: str) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        who = _lock_holder(fd)
        raise BlockingIOError(
            error.errno,
            f"{f'process {who}' if who else 'another process'} is recording to it; "
            "stop that one first, or choose another name",
            path,
        ) from None


def _lock_holder(fd: int) -> int | None:
    """Return the process that has a file locked, where the system tells (Linux)."""
    status = os.fstat(fd)
    inode = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    try:
        with open("/proc/locks") as locks:
            for line in locks:  # 1: FLOCK ADVISORY WRITE 1234 fd:01:5678 0 EOF
                fields = line.split()
                if fields[1] == "FLOCK" and fields[5] == inode and int(fields[4]) > 0:
                    return int(fields[4])
    except (OSError, IndexError, ValueError):
        pass
    return None
