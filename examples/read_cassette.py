"""Read a cassette with nothing but a msgpack library, and print what is in it as JSON.

In Python one uses `tokentape.cassette`. This was written from docs/cassette-format.md alone, for those who
write a reader in another language: that document and a msgpack library are all it takes. (Types and bounds
of the fields are not checked here; where records become values of static types, that happens by itself.)

    python examples/read_cassette.py session.tape
    zstd -dc session.tape.zst | python examples/read_cassette.py -
"""

import json
import struct
import sys
import zlib
from typing import Any

import msgpack

MAGIC = b"\xaatokentape\n"
KINDS = """\
section version wall_ns mono_ns writer proxy host redaction=[] labels={"map":[]}
request exchange t t_end method scheme host port path http_version headers body connection redactions=0 times="all"
response exchange t status reason http_version headers connect=null redactions=0
chunk exchange t data
end exchange t reason detail="" trailers=null chunks=0 bytes=0
note t text exchange=null
close t exchanges chunks bytes""".splitlines()  # noqa: E501  (a line for each kind, in their order)
Map = type("Map", (list,), {})  # the pairs of a msgpack map, told from an array


def frame_at(data: bytes, offset: int) -> tuple[bytes | None, int | None]:
    """Return the payload of a whole frame, else None; and where it ends if its header is right or cut."""
    if len(data) < offset + 10:
        return None, offset + 10
    lead, length, kind, crc = struct.unpack_from(">BIBI", data, offset)
    if lead != 0xC9 or kind != 0x54 or not 4 < length <= 268_435_456 + 4:
        return None, None
    payload = data[offset + 10 : offset + 6 + length]
    whole = len(payload) == length - 4 and zlib.crc32(payload) == crc
    return payload if whole else None, offset + 6 + length


def behind(data: bytes, offset: int, end: int | None) -> int | None:
    """Return where to go on behind damage: where its length says, or at the next whole frame, if any."""
    by_length = end is not None and (end == len(data) or frame_at(data, end)[0] is not None)
    later = offset + 10 if by_length else offset
    while (later := data.find(0xC9, later + 1, end if by_length else None)) >= 0:
        length_was_hit = zlib.crc32(data[offset + 10 : later]) == int.from_bytes(
            data[offset + 6 : offset + 10]
        )
        if (length_was_hit or not by_length) and frame_at(data, later)[0] is not None:
            return later
    return end if by_length else None


def record(payload: bytes) -> dict[str, Any]:
    """Return a record: its kind, its fields by name, what it has beyond them. ValueError if it is none."""
    array = msgpack.unpackb(
        payload, strict_map_key=False, object_pairs_hook=Map, unicode_errors="surrogateescape"
    )
    if type(array) is not list or not array or type(array[0]) is not int or array[0] < 0:
        raise ValueError("expected an array that begins with a kind")
    kind, *values = array
    if kind == 0 and values and type(values[0]) is int and values[0] != 1:
        raise NotImplementedError(f"expected format version 1, found {values[0]}")
    name, *fields = KINDS[kind].split() if kind < len(KINDS) else [None]
    known = {}
    for number, (field, _, default) in enumerate(field.partition("=") for field in fields):
        if number >= len(values) and not default:
            raise ValueError(f"expected a field {field}")
        known[field] = plain(values[number]) if number < len(values) else json.loads(default)
    return {"kind": kind, "name": name, "fields": known, "more": plain(values[len(fields) :])}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it; the bytes 00 to FF become the characters U+0000 to U+00FF."""
    if isinstance(value, bytes):
        return {"bin": value.decode("latin-1")}
    if isinstance(value, msgpack.ExtType):
        return {"ext": [value.code, value.data.decode("latin-1")]}
    items = [plain(item) for item in value] if isinstance(value, list | tuple) else value
    return {"map": items} if isinstance(value, Map) else items


def read(data: bytes) -> dict[str, Any]:
    """Return the records, the damage, and whether the recording was interrupted."""
    if not data or not data.startswith(MAGIC[: len(data)]):
        raise ValueError("expected a cassette, found something else")
    records: list[dict[str, Any]] = []
    damage = [] if len(data) >= len(MAGIC) else [{"offset": 0, "length": len(data), "torn": True}]
    interrupted, offset = True, len(MAGIC)
    while offset < len(data):
        payload, end = frame_at(data, offset)
        found = behind(data, offset, end) if payload is None else end
        torn = found is None and end is not None and end > len(data)
        following = found or len(data)
        try:
            if payload is None:
                raise ValueError("expected a whole frame")  # noqa: TRY301  (both are damage)
            records.append({"offset": offset, **record(payload)})
        except ValueError:
            damage.append({"offset": offset, "length": following - offset, "torn": torn})
        except NotImplementedError:  # another version; what is of this one before it is whole
            if all(each["kind"] != 0 for each in records):
                raise
            damage.append({"offset": offset, "length": len(data) - offset, "torn": False})
            break
        else:
            kind = records[-1]["kind"]
            if len(records) == 1 and not damage and kind != 0:
                damage.append({"offset": offset, "length": 0, "torn": False})
            interrupted = kind < 5 or (kind != 6 and interrupted)
        offset = following
    return {"interrupted": interrupted, "damage": damage, "records": records}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python read_cassette.py FILE")
    try:
        with sys.stdin.buffer if sys.argv[1] == "-" else open(sys.argv[1], "rb") as file:
            found = read(file.read())
    except (OSError, ValueError, NotImplementedError) as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    json.dump(found, sys.stdout, indent=1)
