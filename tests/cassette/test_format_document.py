"""The document is normative: what it says of bytes and fields is what is written."""

import re
from pathlib import Path

import msgspec
import pytest

from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cassette-format.md").read_text()
KINDS = [
    cassette.Section,
    cassette.Request,
    cassette.Response,
    cassette.Chunk,
    cassette.End,
    cassette.Note,
    cassette.Close,
]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_the_fields_of_each_record_are_documented_in_their_order(kind):
    heading = f"### {kind} {KINDS[kind].__name__.lower()}\n"
    section = re.split(r"\n##+ ", DOCUMENT.partition(heading)[2])[0]
    documented = re.findall(r"^\| (\w+) \| ", section, re.MULTILINE)
    assert documented == ["field", *KINDS[kind].__struct_fields__]


@pytest.mark.parametrize("kind", range(len(KINDS)))
def test_fields_with_a_default_say_so(kind):
    heading = f"### {kind} {KINDS[kind].__name__.lower()}\n"
    section = re.split(r"\n##+ ", DOCUMENT.partition(heading)[2])[0]
    with_default = re.findall(r"^\| (\w+) \|.*default", section, re.MULTILINE)
    optional = [field.name for field in msgspec.structs.fields(KINDS[kind]) if not field.required]
    assert with_default == optional


def test_the_magic_and_the_worked_frame_are_what_is_written():
    assert MAGIC.hex(" ").upper() in DOCUMENT
    assert frame(encode(cassette.Note(t=0, text="hi"))).hex(" ").upper() in DOCUMENT


def test_the_limit_on_a_payload_is_the_writers():
    assert f"{cassette.MAX_RECORD_BYTES:,} bytes" in DOCUMENT


def test_the_placeholder_is_what_is_written():
    assert cassette.REDACTED.pattern.decode() in DOCUMENT
    for in_url in (False, True):
        written = cassette.placeholder("NAME".lower(), in_url=in_url)
        assert cassette.REDACTED.fullmatch(written)
        assert written.decode().replace("name", "NAME") in DOCUMENT
