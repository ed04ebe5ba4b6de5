"""What has to be written behind a cassette before another section: nothing, as a rule.

Nothing that is in the file changes: what a machine that lost its power left of a last record stays, since
it cannot be told from a whole record whose length was damaged. But a reader goes by a damaged record's own
length (see `_framing`), so one that is cut off would swallow the beginning of what is appended if it
reached into it as far as the end of some later record. It is filled up with zeros to the length that it
claims: then exactly this record is lost (or none, if zeros are what it lacked), and the new section begins
where a reader looks for it.
"""

import struct

from tokentape.cassette._errors import NotAppendable
from tokentape.cassette._framing import MAGIC, MAX_RECORD_BYTES
from tokentape.cassette._reader import open as open_cassette

_START = struct.Struct(">BIB")  # lead byte, length, type: the part of a header by which its length counts


def lead_to_append(path: str) -> bytes:
    """Return the bytes that come before a section which is appended to the file: all of it is read for this.

    Raises `NotACassette`, `UnsupportedVersion` or `Unreadable` as a reader does, `NotAppendable` for a
    compressed cassette and for one that is cut off inside its first 11 bytes.
    """
    with open(path, "rb") as file:
        head = file.read(len(MAGIC))
        if not head:
            return MAGIC
        if head.startswith(b"\x28\xb5\x2f\xfd"):
            raise NotAppendable(
                f"{path}: expected a cassette that is not compressed; choose another name, ending in .tape"
            )
        if head != MAGIC and MAGIC.startswith(head):
            raise NotAppendable(f"{path}: cut off inside its first {len(MAGIC)} bytes; choose another name")
        with open_cassette(path, lenient=True) as tape:
            for _ in tape:
                pass
        if not tape.damage or not tape.damage[-1].torn:
            return b""
        torn = tape.damage[-1]
        file.seek(torn.offset)
        begun = file.read(_START.size)
    return bytes(max(0, _claimed(begun) - torn.length)) if len(begun) == _START.size else b""


def _claimed(begun: bytes) -> int:
    """Return how many bytes a frame would take that begins so; 0 if none does."""
    lead, length, kind = _START.unpack(begun)
    whole = lead == 0xC9 and kind == 0x54 and 4 < length <= MAX_RECORD_BYTES + 4
    return int(_START.size + length) if whole else 0
