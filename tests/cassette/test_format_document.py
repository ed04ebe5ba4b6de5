"""The document is normative: what it says of bytes and fields is what is written."""

import json
import re
import zlib
from pathlib import Path

import msgspec
import pytest

from tests.cassette.tapes import write
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


WHOLE = (
    cassette.Section(
        version=1,
        wall_ns=1_790_000_000_000_000_000,
        mono_ns=5_000_000_000,
        writer="tokentape 0.1.0",
        proxy="mitmproxy 11.0.2",
        host="h",
        redaction=("credential-headers",),
        labels={"run": "a"},
    ),
    cassette.Request(
        exchange=0,
        t=1_000,
        t_end=2_000,
        method="POST",
        scheme="https",
        host="api.example",
        port=443,
        path=b"/v1/chat/completions",
        http_version="HTTP/1.1",
        headers=((b"Host", b"api.example"),),
        body=b'{"stream":true}',
        connection="c1",
    ),
    cassette.Response(
        exchange=0,
        t=300_000_000,
        status=200,
        reason=b"OK",
        http_version="HTTP/1.1",
        headers=((b"Content-Type", b"text/event-stream"),),
        connect=cassette.Connect(tcp_start=-3_000, tcp_end=-2_000),
    ),
    cassette.Chunk(exchange=0, t=300_000_500, data=b"data: [DONE]\n\n"),
    cassette.End(exchange=0, t=300_001_000, reason="complete", chunks=1, bytes=14),
    cassette.Close(t=400_000_000, exchanges=1, chunks=1, bytes=14),
)
_ROW = re.compile(r"^    ([0-9A-F]{4})  ((?:[0-9A-F]{2} ?)+?)(?: {2,}(\S.*))?$")


def annotated() -> list[tuple[int, bytes, str]]:
    """The items of the worked dump: offset, bytes (of all rows that it takes), and what is said of them."""
    items: list[tuple[int, bytes, str]] = []
    dump = DOCUMENT.partition("## A whole cassette, byte by byte\n")[2]
    for line in dump.splitlines():
        if row := _ROW.match(line):
            offset, data, said = int(row[1], 16), bytes.fromhex(row[2]), row[3]
            if said:
                items.append((offset, data, said))
            else:
                first, before, what = items.pop()
                assert offset == first + len(before)
                items.append((first, before + data, what))
    return items


def said_of(value: object) -> str:
    match value:
        case None:
            return "nil"
        case bytes():
            return f"bin {json.dumps(value.decode('latin-1'))}"
        case list():
            return f"[{', '.join(map(said_of, value))}]"
        case dict():
            return f"{{{', '.join(f'{said_of(key)}: {said_of(of)}' for key, of in value.items())}}}"
    return json.dumps(value)


def test_the_worked_cassette_is_what_the_writer_makes(tmp_path):
    written = write(tmp_path / "a.tape", *WHOLE).read_bytes()
    position = 0
    for offset, data, _ in annotated():
        assert offset == position
        position += len(data)
    assert b"".join(data for _, data, _ in annotated()) == written


def test_what_is_said_of_its_bytes_is_what_they_mean():
    items = iter(annotated())
    _, data, said = next(items)
    assert said == f"magic: {said_of(msgspec.msgpack.decode(data))}"
    for record in WHOLE:
        _, data, said = next(items)
        assert data[:1] + data[5:6] == b"\xc9T"
        length, crc = int.from_bytes(data[1:5]), data[6:10].hex().upper()
        assert said == f"frame: length {length}, type 54, CRC-32 {crc}"
        _, data, said = next(items)
        elements = data[0] - 0x90
        assert said == f"array of {elements}"
        payload = data
        for name in ("kind", *record.__struct_fields__):
            _, data, said = next(items)
            payload += data
            found = f"{name}: {said_of(msgspec.msgpack.decode(data))}"
            assert said == (f"{found}, {type(record).__name__.lower()}" if name == "kind" else found)
        assert elements == 1 + len(record.__struct_fields__)
        assert (len(payload) + 4, f"{zlib.crc32(payload):08X}") == (length, crc)
    assert list(items) == []


def test_the_bounds_of_integers_are_those_that_are_checked():
    said = " ".join(re.split(r"\n\*\*Strings", DOCUMENT.partition("**Integers**")[2])[0].split())
    found = {}
    for struct in KINDS:
        for field in msgspec.structs.fields(struct):
            for of in msgspec.inspect.type_info(field.type).types if "None" in str(field.type) else ():
                found.setdefault(bounds(of), set()).add(field.name)
            found.setdefault(bounds(msgspec.inspect.type_info(field.type)), set()).add(field.name)
    found.pop(None)
    assert found == {
        (-(2**60), 2**60): {"t", "t_end"},
        (0, 2**63 - 1): {"wall_ns", "mono_ns"},
        (0, 999): {"status"},
        (0, 2**60): {"version", "exchange", "port", "redactions", "chunks", "bytes", "exchanges"},
    }
    assert "times are from -2^60 to 2^60, `wall_ns` and `mono_ns` from 0 to 2^63 - 1" in said
    assert "`status` from 0 to 999, all others from 0 to 2^60" in said


def bounds(of: msgspec.inspect.Type) -> tuple[int | None, int | None] | None:
    return (of.ge, of.le) if isinstance(of, msgspec.inspect.IntType) else None


def test_the_placeholder_is_what_is_written():
    assert cassette.REDACTED.pattern.decode() in DOCUMENT
    for in_url in (False, True):
        written = cassette.placeholder("NAME".lower(), in_url=in_url)
        assert cassette.REDACTED.fullmatch(written)
        assert written.decode().replace("name", "NAME") in DOCUMENT
