"""JSON lines: a cassette that can be read, compared and edited by hand, with nothing lost on the way.

The first line is `{"format": "tokentape-jsonl", "version": 1}`; every other line is one record, in the
order of the file (`_json_record` has its fields). What this version does not know comes through as
msgpack in base64: fields beyond the known ones as `more`, and a record that is nothing but that (a kind
that is not known) as `payload`.

The invariant: the payload that is read from a line has the same values as the one that the line was made
of; where writing it out by fields would lose anything, the whole payload stands in the line instead.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import msgspec

from tokentape.cassette._reader import Entry
from tokentape.cassette._records import FORMAT_VERSION, Record, Section, Unknown, decode, encode
from tokentape.cassette.formats._errors import NotTheFormat, WrongLine
from tokentape.cassette.formats._json_record import FIELDS, WrongField, json_of, record_of
from tokentape.cassette.formats._shown import shown

FORMAT = "tokentape-jsonl"
VERSION = 1
_HEAD = {"format": FORMAT, "version": VERSION}
_raw_fields: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])
# JSON allows these as they are, but some programs take them for the end of a line.
_LINE_ENDS = {"\u2028".encode(): rb"\u2028", "\u2029".encode(): rb"\u2029", "\u0085".encode(): rb"\u0085"}


def write(file: BinaryIO, entries: Iterable[Entry], lost: list[str]) -> None:  # noqa: ARG001  (nothing is)
    """Write the first line, then a line for each record."""
    file.write(_line(_HEAD))
    file.writelines(line_of(entry.payload, entry.record) for entry in entries)


def read(file: BinaryIO, name: str, lost: list[str]) -> Iterator[Entry]:
    """Yield a record for each line. A last line that was cut off goes to `lost`.

    `Entry.offset` is the number of the line. Raises `NotTheFormat` if the first line is another, and
    `WrongLine` for a line that is no record.
    """
    _check_head(file.readline(), name)
    first = True
    for number, line in enumerate(file, start=2):
        if not line.strip():
            continue
        try:
            found = _object_of(line)
        except WrongField as error:
            if line.endswith(b"\n"):
                raise WrongLine(f"{name}: line {number}: {error}") from None
            lost.append(f"{name}: line {number} is cut off")
            return
        try:
            payload = _payload_of(found)
            record = _decoded(payload)
            if first and not isinstance(record, Section):
                raise WrongField(f"kind: expected a section first, found {shown(found.get('kind'))}")  # noqa: TRY301
        except WrongField as error:
            raise WrongLine(f"{name}: line {number}: {error}") from None
        first = False
        yield Entry(number, payload, record)


def line_of(payload: bytes, record: Record) -> bytes:
    """Return the line of a record with this payload."""
    if isinstance(record, Unknown):
        return _line({"kind": record.kind, "payload": b64encode(payload).decode("ascii")})
    found = json_of(record)
    again = encode(record)
    if again != payload:
        known = len(FIELDS[found["kind"]]) + 1
        raw = _raw_fields.decode(payload)
        if len(raw) > known:
            found["more"] = b64encode(encode(raw[known:])).decode("ascii")
        if not _same_values(raw[:known], _raw_fields.decode(again)):
            found = {"kind": found["kind"], "payload": b64encode(payload).decode("ascii")}
    return _line(found)


def _payload_of(found: dict[str, Any]) -> bytes:
    kind = found.get("kind")
    if "payload" in found:
        payload = _base64("payload", found["payload"])
        record = _decoded(payload)
        actual = record.kind if isinstance(record, Unknown) else json_of(record)["kind"]
        if actual != kind or type(actual) is not type(kind):
            raise WrongField(f"kind: expected {actual!r}, the one in the payload; found {shown(kind)}")
        return payload
    more = _base64("more", found.pop("more")) if "more" in found else None
    record = record_of(found)
    if more is None:
        return encode(record)
    try:
        return encode([*_raw_fields.decode(encode(record)), *_raw_fields.decode(more)])
    except msgspec.MsgspecError:
        raise WrongField("more: expected a msgpack array in base64") from None


def _decoded(payload: bytes) -> Record:
    try:
        record = decode(payload)
    except ValueError as error:
        raise WrongField(f"payload: {error}") from None
    if isinstance(record, Section) and record.version != FORMAT_VERSION:
        raise WrongField(f"version: expected {FORMAT_VERSION}, the cassette's format; found {record.version}")
    return record


def _check_head(line: bytes, name: str) -> None:
    try:
        head = _object_of(line)
    except WrongField:
        head = {}
    if head.get("format") != FORMAT:
        expected = _line(_HEAD).decode().strip()
        raise NotTheFormat(f"{name}: line 1: expected {expected}, found {shown(line)} of something else")
    if head.get("version") != VERSION:
        raise NotTheFormat(
            f"{name}: line 1: version: expected {VERSION}, found {shown(head.get('version'))}; "
            "if it is of a later tokentape, please upgrade: pip install --upgrade tokentape"
        )


def _line(found: dict[str, Any]) -> bytes:
    line = msgspec.json.format(msgspec.json.encode(found), indent=0)
    for end, escaped in _LINE_ENDS.items():
        if end in line:
            line = line.replace(end, escaped)
    return line + b"\n"


def _object_of(line: bytes) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(line)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise WrongField(f"expected a JSON object, found {shown(line)} ({error})") from None
    if not isinstance(found, dict):
        raise WrongField("expected a JSON object, found other JSON")
    return found


def _base64(name: str, value: object) -> bytes:
    try:
        if isinstance(value, str):
            return b64decode(value, validate=True)
    except ValueError:
        pass
    raise WrongField(f"{name}: expected base64, found {shown(value)}")


def _same_values(some: list[msgspec.Raw], others: list[msgspec.Raw]) -> bool:
    """Whether two rows of fields mean the same; an older writer may have left some of the last ones out."""
    try:
        return [msgspec.msgpack.decode(raw) for raw in some] == [
            msgspec.msgpack.decode(raw) for raw in others[: len(some)]
        ]
    except (msgspec.MsgspecError, TypeError, RecursionError):  # what msgpack may hold and Python cannot
        return False
