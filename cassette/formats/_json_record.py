"""Records as JSON objects, and back: `{"kind": "chunk", "exchange": 0, "t": 123, "data": "text"}`.

The invariant: `record_of(json_of(record)) == record` for every record. Bytes are a string where they are
UTF-8 and `{"base64": "..."}` where they are not; a string can be nothing else, so neither is ever taken
for the other.
"""

import re
from base64 import b64decode, b64encode
from typing import Any, cast, get_args

import msgspec

from tokentape.cassette._records import (
    Chunk,
    Close,
    Connect,
    End,
    EndReason,
    Headers,
    Known,
    Note,
    Request,
    Response,
    Section,
    Times,
)
from tokentape.cassette.formats._shown import shown

KINDS: dict[str, type[Known]] = {
    "section": Section,
    "request": Request,
    "response": Response,
    "chunk": Chunk,
    "end": End,
    "note": Note,
    "close": Close,
}
KIND_OF: dict[type[Known], str] = {kind: name for name, kind in KINDS.items()}
FIELDS = {name: msgspec.structs.fields(kind) for name, kind in KINDS.items()}

_BYTES = frozenset(["path", "body", "reason", "data"])  # `reason` of a response; an end's is text
_HEADERS = frozenset(["headers", "trailers"])
_WORDS: dict[str, tuple[str, ...]] = {"reason": get_args(EndReason), "times": get_args(Times)}


class WrongField(ValueError):
    """A field is not what it must be; the message names it, what was expected, and what was found."""


def json_of(record: Known) -> dict[str, Any]:
    """Return the fields of a record in their order, after its kind."""
    kind = KIND_OF[type(record)]
    found: dict[str, Any] = {"kind": kind}
    for field in FIELDS[kind]:
        value = getattr(record, field.name)
        if isinstance(value, bytes):
            value = json_of_bytes(value)
        elif field.name in _HEADERS and value is not None:
            value = [[json_of_bytes(name), json_of_bytes(text)] for name, text in cast("Headers", value)]
        elif isinstance(value, Connect):
            value = {name: getattr(value, name) for name in Connect.__struct_fields__}
        elif isinstance(value, tuple):
            value = list(value)
        found[field.name] = value
    return found


def record_of(found: dict[str, Any]) -> Known:
    """Return the record of an object that has its kind and fields; those with a default may be missing.

    Raises `WrongField` for a kind or field that is not known, is missing or has a wrong value.
    """
    kind = found.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        raise WrongField(f"kind: expected one of {', '.join(KINDS)}; found {shown(kind)}")
    fields = FIELDS[kind]
    names = [field.name for field in fields]
    for name in found:
        if name != "kind" and name not in names:
            raise WrongField(f"{name}: expected a field of a {kind} ({', '.join(names)})")
    values: dict[str, Any] = {}
    for field in fields:
        if field.name in found:
            values[field.name] = _value(kind, field.name, found[field.name])
        elif field.required:
            raise WrongField(f"{field.name}: expected it in a {kind}, found none")
    try:
        return msgspec.convert(_in_order(kind, values), KINDS[kind])
    except (msgspec.ValidationError, OverflowError) as error:
        raise WrongField(_message(kind, str(error), found)) from None


def json_of_bytes(data: bytes) -> Any:
    """Return a string for what is UTF-8, an object with base64 for what is not."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(data).decode("ascii")}


def bytes_of_json(name: str, value: object) -> bytes:
    """Return what `json_of_bytes` was given. Raises `WrongField`, with the field's name, for others."""
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            raise WrongField(
                f"{name}: expected text, found half a surrogate pair in {shown(value)}"
            ) from None
    if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
        try:
            return b64decode(value["base64"], validate=True)
        except ValueError:
            raise WrongField(f"{name}: expected base64, found {shown(value['base64'])}") from None
    raise WrongField(f'{name}: expected text or {{"base64": "..."}}, found {shown(value)}')


def _in_order(kind: str, values: dict[str, Any]) -> list[Any]:
    """Return the msgpack array's elements: the tag, then each field with its default if there is none."""
    found: list[Any] = [list(KINDS).index(kind)]
    for field in FIELDS[kind]:
        default = {} if field.default is msgspec.NODEFAULT else field.default  # labels have a factory
        found.append(values.get(field.name, default))
    return found


def _value(kind: str, name: str, value: Any) -> Any:
    if name in _BYTES and not (kind == "end" and name == "reason"):
        return bytes_of_json(name, value)
    if name in _HEADERS and isinstance(value, list):
        for pair in value:
            if not isinstance(pair, list) or len(pair) != 2:
                raise WrongField(f"{name}: expected pairs of name and value, found {shown(pair)}")
        return [[bytes_of_json(name, part) for part in pair] for pair in value]
    if name == "connect" and isinstance(value, dict):
        for key in value:
            if key not in Connect.__struct_fields__:
                raise WrongField(
                    f"connect: expected {', '.join(Connect.__struct_fields__)}; found {shown(key)}"
                )
        return [value.get(key) for key in Connect.__struct_fields__]
    return value


def _message(kind: str, message: str, found: dict[str, Any]) -> str:
    """Return msgspec's words with the name of the field instead of its place in the array."""
    place = re.search(r" - at `\$\[(\d+)\]", message)
    words = message.partition(" - at ")[0].replace("`", "")
    words = words.replace("Expected", "expected")
    if place is None:
        return words
    name = FIELDS[kind][int(place[1]) - 1].name
    words = words.partition(", got ")[0]
    if words.startswith("Invalid enum value"):
        words = f"expected one of {', '.join(_WORDS[name])}"
    return f"{name}: {words}, found {shown(found.get(name))}"
