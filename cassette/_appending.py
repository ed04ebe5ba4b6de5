"""What has to be written behind a cassette before another section: nothing, as a rule.

Nothing that is in the file changes: what a machine that lost its power left of a last record stays, since
it cannot be told from a whole record whose length was damaged. But a reader goes by a damaged record's own
length (see `_framing`), so one that is cut off would swallow the beginning of what is appended if it
reached into it as far as the end of some later record. It is filled up with zeros to the length that it
claims: then exactly this record is lost (or none, if zeros are what it lacked), and the new section begins
where a reader looks for it.
"""

from tokentape.cassette._errors import NotAppendable
from tokentape.cassette._framing import HEADER_BYTES, MAGIC, MAX_RECORD_BYTES, Damage, stated_size
from tokentape.cassette._reader import ZSTD_MAGIC
from tokentape.cassette._reader import open as open_cassette
from tokentape.cassette._records import check_version


def lead_to_append(path: str) -> tuple[bytes, Damage | None]:
    """Return the bytes that come before a section which is appended to the file, and its torn tail, if any.

    All of the file is read for this. Raises `NotACassette`, `UnsupportedVersion` or `Unreadable` as a reader
    does, `NotAppendable` for a compressed cassette and for one that is cut off inside its first 11 bytes.
    """
    with open(path, "rb") as file:
        head = file.read(len(MAGIC))
        if not head:
            return MAGIC, None
        if head.startswith(ZSTD_MAGIC):
            raise NotAppendable(
                f"{path}: expected a cassette that is not compressed; choose another name, ending in .tape"
            )
        if head != MAGIC and MAGIC.startswith(head):
            raise NotAppendable(f"{path}: cut off inside its first {len(MAGIC)} bytes; choose another name")
        with open_cassette(path, lenient=True) as tape:
            for _ in tape:
                pass
        if tape.newer is not None:
            check_version(tape.newer, path)
        if not tape.damage or not tape.damage[-1].torn:
            return b"", None
        torn = tape.damage[-1]
        file.seek(torn.offset)
        claimed = stated_size(file.read(HEADER_BYTES)) or 0
    is_frame = HEADER_BYTES < claimed <= MAX_RECORD_BYTES + HEADER_BYTES
    return (bytes(max(0, claimed - torn.length)) if is_frame else b""), torn
