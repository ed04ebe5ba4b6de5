"""Reads a cassette once, from front to back, strictly or leniently.

Strictly, the first thing that is not as it was written raises. Leniently, what is whole is yielded and
what is not is listed in `Reader.damage`. Both raise `NotACassette`, and `UnsupportedVersion` where the first
section is of a version that is not known, since there is nothing whole to yield then. A later section of such
a version is damage to the lenient, from there to the end of the file.
"""

import builtins
import sys
from collections.abc import Iterator
from os import PathLike, fspath
from types import TracebackType
from typing import BinaryIO, NamedTuple, Self

from tokentape.cassette._coding import ContentDecoder, UndecodableContent
from tokentape.cassette._errors import Corrupt, NotACassette, TornTail, Unreadable
from tokentape.cassette._framing import HEADER_BYTES, MAGIC, MAX_RECORD_BYTES, Damage, Frame, read_frames
from tokentape.cassette._records import (
    Chunk,
    Close,
    Note,
    Record,
    Section,
    Unknown,
    check_version,
    decode,
    unsupported,
)

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_ZSTD_STEP = 64
"""Compressed bytes that are decompressed at a time: four can stand for 128 KiB, so these for 2 MiB."""
_MAX_DAMAGE = 10_000


def open(  # noqa: A001  (as in gzip and bz2)
    path: str | PathLike[str],
    *,
    lenient: bool = False,
    salvage: bool = False,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> "Reader":
    """Open a cassette for reading; one that was compressed with zstd is decompressed on the way.

    `path` may be "-" for standard input. With `lenient`, damage is listed in `Reader.damage` instead of
    raised. With `salvage`, which is lenient too, a file that does not begin as a cassette is searched for
    whole records. Records longer than `max_record_bytes` are refused before memory is taken for them.

    Raises `Unreadable` if the file cannot be opened, `NotACassette` if it is something else.
    """
    name = fspath(path)
    if name == "-" and (sys.stdin is None or sys.stdin.closed):
        raise Unreadable("-: expected a cassette on standard input, which is closed or was read before")
    try:
        stream = sys.stdin.buffer if name == "-" else builtins.open(name, "rb")  # noqa: SIM115
    except OSError as error:
        raise Unreadable(f"{name}: expected a readable cassette: {error.strerror}") from None
    try:
        return Reader(stream, name=name, lenient=lenient, salvage=salvage, max_record_bytes=max_record_bytes)
    except BaseException:
        stream.close()
        raise


class Entry(NamedTuple):
    """A record, where its frame begins (in bytes of the decompressed cassette), and its payload as read.

    Whoever rewrites a cassette copies payloads: they have the fields that this version does not know.
    """

    offset: int
    payload: bytes
    record: Record


class Reader:
    """An iterator over the records of one cassette, and a context manager that closes it.

    `damage` lists what a lenient reader passed over; the last of ten thousand stands for all that came
    after it, with the sum of their lengths. `interrupted` is whether the last section has no
    close record: the recorder did not stop cleanly, or it still runs. `newer` is the section of a version
    that is not known before which a lenient reader stopped, None if there is none. All are complete once
    the iteration is. Reads from the stream happen only as far as the iteration goes.
    """

    def __init__(
        self,
        stream: BinaryIO,
        *,
        name: str = "cassette",
        lenient: bool = False,
        salvage: bool = False,
        max_record_bytes: int = MAX_RECORD_BYTES,
    ) -> None:
        self.name = name
        self.damage: list[Damage] = []
        self.interrupted = True
        self.newer: Section | None = None
        self._lenient = lenient or salvage
        self._stream = stream
        self._source = Source(stream, name)
        start = self._check_magic(salvage=salvage)
        self._frames = read_frames(self._source.read, offset=start, max_record_bytes=max_record_bytes)
        self._records = self._read()
        self._frame = Frame(0, b"")  # of the record that was yielded last

    def __iter__(self) -> Iterator[Record]:
        return self._records

    def entries(self) -> Iterator[Entry]:
        """Yield each record with its offset and its payload; the same iteration as that over records."""
        for record in self._records:
            yield Entry(*self._frame, record)

    @property
    def offset(self) -> int:
        """Where the frame of the last record begins, in bytes of the decompressed cassette."""
        return self._frame.offset

    @property
    def end_offset(self) -> int:
        """Where that frame ends."""
        return self._frame.offset + HEADER_BYTES + len(self._frame.payload)

    @property
    def position(self) -> int:
        """How many bytes of the file were read, somewhat ahead of the records; compressed ones if it is."""
        return self._source.position

    @property
    def compressed(self) -> bool:
        """Whether the file is compressed: offsets are in what is decompressed from it."""
        return self._source.compressed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Closing twice does no harm."""
        self._stream.close()

    def _check_magic(self, *, salvage: bool) -> int:
        """Read the magic and return where the frames begin."""
        head = self._source.peek(len(MAGIC))
        if head == MAGIC:
            self._source.read(len(MAGIC))
            return len(MAGIC)
        if not head and not self._source.compressed:
            raise NotACassette(f"{self.name}: expected a cassette, found an empty file")
        if len(head) < len(MAGIC) and MAGIC.startswith(head) and self._source.failure is None:
            self._source.read(len(head))
            self._found(Damage(0, len(head), "the file ends inside its first 11 bytes", torn=True))
            return len(MAGIC)
        found = self._source.failure or repr(head)
        expected = f"expected a cassette, which begins with {MAGIC!r}; found {found}"
        if not salvage:
            raise NotACassette(f"{self.name}: {expected}")
        self._found(Damage(0, 0, expected))
        return 0

    def _read(self) -> Iterator[Record]:
        first, known = True, False
        last: Frame | None = None
        for item in self._frames:
            if isinstance(item, Damage):
                self._found(self._with_its_reason(item))
                continue
            self._frame = item
            try:
                record = decode(item.payload)
            except ValueError as error:
                self._found(Damage(item.offset, HEADER_BYTES + len(item.payload), str(error)))
                continue
            last = item
            if type(record) is Chunk and not first:  # nearly all records are such
                self.interrupted = True
                yield record
                continue
            if first and not isinstance(record, Section) and not self.damage:
                kind = type(record).__name__
                self._found(Damage(item.offset, 0, f"expected a section record first, found {kind}"))
            if isinstance(record, Section):
                if self._lenient and known and unsupported(record):
                    self.newer = record
                    self._found(self._rest_from(item, f"from here on {unsupported(record)}"))
                    return
                check_version(record, self.name)
                known = True
            first = False
            if not isinstance(record, Note | Unknown):  # these may follow a close
                self.interrupted = not isinstance(record, Close)
            yield record
        end = last.offset + HEADER_BYTES + len(last.payload) if last else len(MAGIC)
        if self._source.failure is not None and not (self.damage and self.damage[-1].offset >= end):
            self._found(Damage(end, 0, self._source.failure))

    def _rest_from(self, frame: Frame, reason: str) -> Damage:
        """Return all that there is from a frame on as damage, for that reason."""
        end = frame.offset + HEADER_BYTES + len(frame.payload)
        for item in self._frames:
            size = item.length if isinstance(item, Damage) else HEADER_BYTES + len(item.payload)
            end = item.offset + size
        return Damage(frame.offset, end - frame.offset, reason)

    def _with_its_reason(self, damage: Damage) -> Damage:
        if damage.offset == 0:  # what is wrong there was found before: the magic
            return self.damage.pop()._replace(length=damage.length)
        if self._source.failure is not None:
            return damage._replace(reason=self._source.failure, torn=False)
        return damage

    def _found(self, damage: Damage) -> None:
        if not self._lenient:
            kind = TornTail if damage.torn else Corrupt
            raise kind(self.name, damage.offset, damage.reason)
        if len(self.damage) < _MAX_DAMAGE:
            self.damage.append(damage)
        else:  # a file can be made of damage, and the list of it longer than the file
            rest = self.damage[-1]
            reason = "here begins more damage than is listed"
            self.damage[-1] = Damage(rest.offset, rest.length + damage.length, reason)


class Source:
    """Bytes of a file, decompressed if it begins like zstd; operating system errors become ours.

    Where the compression is damaged the bytes end, and `failure` says what was found. An end once met stays
    the end: what is written to the file meanwhile would else be taken for what came behind damage.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self.failure: str | None = None
        self.position = 0  # in the file, as it is
        self._stream = stream
        self._name = name
        self._ended = False
        self._head = b""
        self._zstd: ContentDecoder | None = None
        if self.peek(len(ZSTD_MAGIC)) == ZSTD_MAGIC:
            self._zstd = ContentDecoder("zstd", max_bytes=None)
            self._head = self._decompress(self._head)

    @property
    def compressed(self) -> bool:
        """Whether what is read is not what is in the file."""
        return self._zstd is not None

    def peek(self, size: int) -> bytes:
        """Return up to `size` bytes without going on."""
        while len(self._head) < size and (more := self._get(size)):
            self._head += more
        return self._head[:size]

    def read(self, size: int) -> bytes:
        """Return some bytes, about `size`; none at the end."""
        if self._head:
            taken, self._head = self._head[:size], self._head[size:]
            return taken
        return self._get(size)

    def _get(self, size: int) -> bytes:
        if self._zstd is None:
            return self._raw(size)
        # In small steps, so that little of what came before damage goes with it, and little memory is taken.
        while self.failure is None and (raw := self._raw(_ZSTD_STEP)):
            if decompressed := self._decompress(raw):
                return decompressed
        return b""

    def _raw(self, size: int) -> bytes:
        if self._ended:
            return b""
        try:
            raw = self._stream.read(size)
        except OSError as error:
            raise Unreadable(f"{self._name}: expected a readable cassette: {error.strerror}") from None
        self._ended = not raw
        self.position += len(raw)
        return raw

    def _decompress(self, raw: bytes) -> bytes:
        assert self._zstd is not None  # noqa: S101
        try:
            return self._zstd.feed(raw)
        except UndecodableContent as error:
            self.failure = f"its compression is damaged: {error}"
            return b""
