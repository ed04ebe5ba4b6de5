r"""Frames: every record in a checksummed msgpack extension, so that damage is found and costs one record.

    file   := magic frame*
    magic  := msgpack str "tokentape\n"
    frame  := 0xC9 | u32 length | type 0x54 | u32 crc32 | payload     (length counts crc32 and payload)

The reader here takes bytes from any source and yields `Frame` and `Damage` values; it raises nothing of
its own. Its invariant: the frames and the damage, in order, cover every byte it was given.

After damage it looks for the next place where a whole frame checks out. The damaged frame's own length
is tried first: if only its payload was hit, the next frame is where that length says, and nothing
inside the payload (which may hold any bytes, even those of a cassette) can be taken for a frame. By
chance a length that was hit leads to a frame too, a few too late: the checksum, which is then right for
fewer bytes, tells. Only then is every later byte that could begin a frame tried. What tells a torn tail
from damage in the middle is whether anything whole comes after it: a flipped bit in a length makes the
frame reach past the end of the file just as a cut does. (One doubt stays: where a length was hit in
a record whose own payload holds a cassette, the frames in there cannot be told from the file's own.)
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import NamedTuple

from tokentape.cassette._crc32 import crc32
from tokentape.cassette._plural import counted
from tokentape.cassette._range_sums import BLOCK, RangeSums

MAGIC = b"\xaatokentape\n"
MAX_RECORD_BYTES = 256 * 1024 * 1024
"""Longest payload that is written, and that a reader accepts unless it is told otherwise."""

_HEADER = struct.Struct(">BIBI")  # 0xC9, length, type, crc32
_SIZED = struct.Struct(">BIB")  # as far as a frame says how long it is
HEADER_BYTES = _HEADER.size
_LEAD = 0xC9
_TYPE = 0x54
_UNCOUNTED = 6  # the bytes of a frame that its length does not count: lead, length and type
_READ_BYTES = 1 << 20
_MAY_BE_FRAME = re.compile(rb"\xc9.{4}\x54", re.DOTALL)


class Frame(NamedTuple):
    """A whole frame: where it begins, in bytes from the start of the file, and its checked payload."""

    offset: int
    payload: bytes


class Damage(NamedTuple):
    """A part of a file that is no whole frame: `length` bytes from `offset`.

    `torn` says that the file ends inside a frame, with nothing whole after it.
    """

    offset: int
    length: int
    reason: str
    torn: bool = False

    def __str__(self) -> str:
        """Return what was lost, where and why, for people."""
        size = counted(self.length, "byte") + " " if self.length else ""
        lost = "cut off" if self.torn else f"{size}damaged"
        return f"{lost} at byte {self.offset}: {self.reason}"


def frame(payload: bytes) -> bytes:
    """Return the bytes of a frame around a payload."""
    return _HEADER.pack(_LEAD, len(payload) + 4, _TYPE, crc32(payload)) + payload


def read_frames(
    read: Callable[[int], bytes],
    *,
    offset: int = 0,
    max_record_bytes: int = MAX_RECORD_BYTES,
    growing: bool = False,
) -> Iterator[Frame | Damage]:
    """Yield what `read(n)` delivers, from `offset` (the first byte after the magic) to the end.

    Holds at most a record of `max_record_bytes`, a quarter of that, and 1 MiB. The time it takes is linear
    in what is read, whatever is in there. Of a file that is still `growing` only what will stay so is
    yielded: what is not whole at its end may become so.
    """
    return _FrameReader(read, offset, max_record_bytes, growing=growing).run()


def stated_size(header: bytes) -> int | None:
    """Return how many bytes a frame takes by its first 6 or more; None if they begin no frame."""
    if len(header) < _UNCOUNTED:
        return None
    lead, length, kind = _SIZED.unpack_from(header)
    return length + _UNCOUNTED if lead == _LEAD and kind == _TYPE else None


class _FrameReader:
    """A window over the source: `buffer[position:]` is what was read and not yet yielded.

    Before that it keeps a block of what was, as far as there was one, for `RangeSums`.
    """

    def __init__(
        self, read: Callable[[int], bytes], offset: int, max_record_bytes: int, *, growing: bool
    ) -> None:
        self._read = read
        self._growing = growing
        self._max_length = max_record_bytes + 4
        self._buffer = b""
        self._position = 0
        self._base = offset  # offset in the file of buffer[0]
        self._ended = False
        self._sums: RangeSums | None = None  # once there was damage

    def run(self) -> Iterator[Frame | Damage]:
        while self._fill(1):
            yield from self._whole_in_window()
            if not self._fill(1):
                return
            start = self._base + self._position
            payload = self._payload_at(0)
            if isinstance(payload, bytes):
                self._position += _HEADER.size + len(payload)
                yield Frame(start, payload)
            elif self._growing and payload.incomplete:
                return
            else:
                self._sums = self._sums or RangeSums()
                found = self._skip_to_whole_frame(payload)
                if self._growing and not found:
                    return
                end = self._base + self._position
                yield Damage(start, end - start, payload.reason, torn=payload.incomplete and not found)

    def _whole_in_window(self) -> Iterator[Frame]:
        """Yield the frames that are whole in the window, up to the first that is not or is long.

        It does what the loop above does, without a call for each frame: nearly all are such.
        """
        buffer, base, position = self._buffer, self._base, self._position
        size, header_bytes, unpack = len(buffer), _HEADER.size, _HEADER.unpack_from
        longest = min(self._max_length, BLOCK)
        new = tuple.__new__  # the constructor of a NamedTuple takes a third of the time of this loop
        while position + header_bytes <= size:
            lead, length, kind, crc = unpack(buffer, position)
            end = position + _UNCOUNTED + length
            if lead != _LEAD or kind != _TYPE or not 4 < length <= longest or end > size:
                break
            payload = buffer[position + header_bytes : end]
            if crc32(payload) != crc:
                break
            yield new(Frame, (base + position, payload))
            position = end
        self._position = position

    def _fill(self, size: int) -> bool:
        """Have `size` bytes at the position, if the source has them."""
        missing = size - (len(self._buffer) - self._position)
        if missing <= 0:
            return True
        if self._ended:
            return False
        cut = max(0, self._position - BLOCK)
        parts = [self._buffer[cut:]]
        self._base += cut
        self._position -= cut
        # Each time a long window is copied it grows by a part of itself, so that all copies together
        # are no more than some times what is read.
        wanted = max(missing, len(parts[0]) // 4 - _READ_BYTES)
        while wanted > 0 and (block := self._read(max(_READ_BYTES, min(wanted, 16 * _READ_BYTES)))):
            parts.append(block)
            missing -= len(block)
            wanted -= len(block)
        self._buffer = b"".join(parts)
        self._ended = missing > 0
        return missing <= 0

    def _payload_at(self, ahead: int) -> "bytes | _NoFrame":
        """Return the payload of the frame that begins so many bytes after the position, or why none does."""
        if not self._fill(ahead + _HEADER.size):
            return _NoFrame("the file ends inside a frame's header", incomplete=True)
        lead, length, kind, crc = _HEADER.unpack_from(self._buffer, self._position + ahead)
        if lead != _LEAD or kind != _TYPE:
            return _NoFrame(f"expected a frame (0xc9 .. 0x54), found 0x{lead:02x} .. 0x{kind:02x}")
        if length <= 4:
            return _NoFrame(f"expected a frame with a payload, found a length of {length}")
        if length > self._max_length:
            return _NoFrame(
                f"a frame of {length} bytes is longer than the {self._max_length} that are accepted"
            )
        if not self._fill(ahead + _UNCOUNTED + length):
            have = len(self._buffer) - self._position - ahead - _UNCOUNTED
            return _NoFrame(f"expected a frame of {length} bytes, the file has {have} more", incomplete=True)
        start = self._position + ahead + _HEADER.size
        end = start + length - 4
        if self._sums is None or length <= BLOCK:
            payload = self._buffer[start:end]
            found = crc32(payload)
        else:
            found = self._sums.of(self._buffer, self._base, start, end)
            payload = self._buffer[start:end] if found == crc else b""
        if found != crc:
            return _NoFrame(f"expected CRC-32 {crc:08x}, found {found:08x}", skip=_UNCOUNTED + length)
        return payload

    def _skip_to_whole_frame(self, here: "_NoFrame") -> bool:
        """Move to the next whole frame and say whether there is one; else move to the end."""
        if here.skip and self._is_boundary(here.skip):
            self._position += self._end_by_checksum(here.skip)
            return True
        self._position += 1
        while self._fill(_HEADER.size):
            candidate = _MAY_BE_FRAME.search(self._buffer, self._position)
            if candidate is None:
                self._position = len(self._buffer) - _HEADER.size + 1
                continue
            self._position = candidate.start()
            if isinstance(self._payload_at(0), bytes):
                return True
            self._position += 1
        self._position = len(self._buffer)
        return False

    def _is_boundary(self, ahead: int) -> bool:
        """Whether a whole frame begins, or the file ends, so many bytes after the position."""
        return isinstance(self._payload_at(ahead), bytes) or not self._fill(ahead + 1)

    def _end_by_checksum(self, size: int) -> int:
        """Return the size of the damaged frame at the position, which by its length is `size`.

        It is less if the length was hit: then the checksum still is that of the payload, up to the next
        frame.
        """
        start, end = self._position, self._position + size
        (_, _, _, wanted) = _HEADER.unpack_from(self._buffer, start)
        view = memoryview(self._buffer)
        crc, done = 0, start + _HEADER.size
        candidate = self._buffer.find(_LEAD, done + 1, end)
        while candidate >= 0:
            crc, done = crc32(view[done:candidate], crc), candidate
            if crc == wanted:
                found = candidate - start
                return found if isinstance(self._payload_at(found), bytes) else size
            candidate = self._buffer.find(_LEAD, candidate + 1, end)
        return size


class _NoFrame(NamedTuple):
    """Why no frame could be read: the bytes are missing (`incomplete`), or they are wrong.

    `skip` is the size of the frame if its header looks right and only its payload does not.
    """

    reason: str
    incomplete: bool = False
    skip: int = 0
