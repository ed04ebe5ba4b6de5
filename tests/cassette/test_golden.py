"""Golden cassettes are read as when they were made, by our reader and by one that knows only the document."""

import hashlib
import io
import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
import zstandard

from tests.cassette.golden import FOLDER, KINDS, contents, expected, second_reader
from tests.cli.verbs import bad_file
from tokentape import cassette

NAMES = sorted(path.name.removesuffix(".json") for path in FOLDER.glob("v*.json"))
EXAMPLE = Path(__file__).parents[2] / "examples" / "read_cassette.py"
WITHOUT_TYPES = "v1-out-of-bounds.tape"
"""Here the second reader, which does not check the types of fields, finds more records than there are."""


def decompressed(name: str) -> bytes:
    data = (FOLDER / name).read_bytes()
    if not name.endswith(".zst"):
        return data
    return zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()


def test_none_was_changed_added_or_taken_away_in_silence():
    lines = [line.split("  ") for line in (FOLDER / "SHA256SUMS").read_text().splitlines()]
    listed = {name: digest for digest, name in lines}
    kept = {path.name: path for path in FOLDER.glob("v*")}
    assert listed == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}
    assert len(kept) >= 2 * 16


@pytest.mark.parametrize("name", NAMES)
def test_it_is_read_as_ever(name):
    with cassette.open(FOLDER / name, lenient=True) as reader:
        assert contents(reader) == expected(name)


@pytest.mark.parametrize("name", NAMES)
def test_strictly_the_first_damage_is_raised(name):
    found = expected(name)
    if not found["damage"]:
        with cassette.open(FOLDER / name) as reader:
            assert len(list(reader)) == len(found["records"])
        return
    first = found["damage"][0]
    error = cassette.TornTail if first["torn"] else cassette.Corrupt
    with pytest.raises(error) as raised, cassette.open(FOLDER / name) as reader:
        list(reader)
    assert raised.value.offset == first["offset"]


@pytest.mark.parametrize("name", sorted(set(NAMES) - {WITHOUT_TYPES}))
def test_a_reader_made_from_the_document_alone_reads_the_same(name):
    assert second_reader().read(decompressed(name)) == expected(name)


def test_what_that_reader_takes_for_records_beyond_has_wrong_types_only():
    found, right = second_reader().read(decompressed(WITHOUT_TYPES)), expected(WITHOUT_TYPES)
    damaged = {damage["offset"] for damage in right["damage"]}
    assert [record for record in found["records"] if record["offset"] not in damaged] == right["records"]
    assert [damage for damage in right["damage"] if damage in found["damage"]] == found["damage"]
    assert len(found["damage"]) >= 8


def test_that_reader_is_a_program_too():
    name = "v1-every-field.tape"
    done = [
        subprocess.run(
            [sys.executable, str(EXAMPLE), source],
            input=decompressed(name),
            capture_output=True,
            check=True,
            timeout=60,
        )
        for source in (str(FOLDER / name), "-")
    ]
    assert [json.loads(each.stdout) for each in done] == [expected(name)] * 2


def test_that_reader_uses_nothing_of_ours():
    assert "import tokentape" not in EXAMPLE.read_text()
    assert "from tokentape" not in EXAMPLE.read_text()


def test_every_kind_and_every_field_is_in_one_of_them_also_with_another_value_than_its_default():
    records = [record for name in NAMES for record in expected(name)["records"]]
    for kind, struct in enumerate(KINDS):
        of_kind = [record["fields"] for record in records if record["kind"] == kind]
        for field in msgspec.structs.fields(struct):
            values = {json.dumps(fields[field.name]) for fields in of_kind}
            assert len(values) >= (1 if field.required else 2), (kind, field.name)


@pytest.mark.parametrize("kind", ["missing", "folder", "text", "empty", "newer"])
def test_what_is_no_cassette_is_one_line_of_that_reader(kind, tmp_path):
    path = bad_file(tmp_path, kind)
    done = subprocess.run(
        [sys.executable, EXAMPLE, path], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"{path}: ")
