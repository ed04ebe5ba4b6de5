"""The golden cassettes, and what was read from a cassette in the form in which their contents are written."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import msgspec

from tokentape import cassette

FOLDER = Path(__file__).parents[1] / "golden"
KINDS = (
    cassette.Section,
    cassette.Request,
    cassette.Response,
    cassette.Chunk,
    cassette.End,
    cassette.Note,
    cassette.Close,
)


class Map(list[Any]):
    """The pairs of a msgpack map."""


def second_reader() -> ModuleType:
    """The reader in examples/, which knows the format from its document alone."""
    path = Path(__file__).parents[2] / "examples" / "read_cassette.py"
    spec = importlib.util.spec_from_file_location("read_cassette", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents(reader: cassette.Reader) -> dict[str, Any]:
    """What a lenient reader finds, as tests/golden/README.md describes it."""
    records = [{"offset": entry.offset, **_record(entry)} for entry in reader.entries()]
    damage = [{"offset": d.offset, "length": d.length, "torn": d.torn} for d in reader.damage]
    return {"interrupted": reader.interrupted, "damage": damage, "records": records}


def _record(entry: cassette.Entry) -> dict[str, Any]:
    elements = msgpack.unpackb(
        entry.payload, strict_map_key=False, object_pairs_hook=Map, unicode_errors="surrogateescape"
    )
    if isinstance(entry.record, cassette.Unknown):
        return {"kind": entry.record.kind, "name": None, "fields": {}, "more": plain(elements[1:])}
    fields = {name: plain(getattr(entry.record, name)) for name in entry.record.__struct_fields__}
    kind = KINDS.index(type(entry.record))
    more = plain(elements[1 + len(fields) :])
    return {"kind": kind, "name": type(entry.record).__name__.lower(), "fields": fields, "more": more}


def plain(value: Any) -> Any:
    match value:
        case bytes():
            return {"bin": value.decode("latin-1")}
        case msgpack.ExtType():
            return {"ext": [value.code, value.data.decode("latin-1")]}
        case dict():
            return {"map": [[plain(key), plain(of)] for key, of in value.items()]}
        case Map():
            return {"map": [[plain(key), plain(of)] for key, of in value]}
        case cassette.Connect():
            return list(msgspec.structs.astuple(value))
        case list() | tuple():
            return [plain(item) for item in value]
    return value


def expected(name: str) -> Any:
    """What is written beside a golden cassette."""
    return json.loads((FOLDER / f"{name}.json").read_text())
