import io
import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.formats.strategies import RECORD
from tests.cassette.tapes import RECORDS, RESPONSE
from tokentape import cassette
from tokentape.cassette._records import decode, encode
from tokentape.cassette.formats import NotTheFormat, WrongLine
from tokentape.cassette.formats import _jsonl as jsonl
from tokentape.cassette.formats._json_record import FIELDS

HEAD = '{"format": "tokentape-jsonl", "version": 1}\n'
SECTION_LINE = jsonl.line_of(encode(RECORDS[0]), RECORDS[0]).decode()


def pack(value):
    return msgspec.msgpack.encode(value)


def entries(*payloads):
    return [cassette.Entry(number, payload, decode(payload)) for number, payload in enumerate(payloads)]


def written(*payloads):
    out = io.BytesIO()
    jsonl.write(out, entries(*payloads), [])
    return out.getvalue()


def read(text, lost=None):
    data = text if isinstance(text, bytes) else text.encode()
    return list(jsonl.read(io.BytesIO(data), "a.jsonl", [] if lost is None else lost))


def payload_of(line: bytes) -> bytes:
    """The payload that is read from a line."""
    return read(HEAD.encode() + SECTION_LINE.encode() + line)[-1].payload


@given(RECORD)
def test_every_record_comes_back_byte_for_byte_and_so_does_its_line(record):
    payload = encode(record)
    line = jsonl.line_of(payload, record)
    assert payload_of(line) == payload
    assert line.count(b"\n") == 1
    assert line.decode().splitlines(keepends=True) == [line.decode()]
    assert jsonl.line_of(payload, decode(payload_of(line))) == line
    assert list(json.loads(line))[1:] == [field.name for field in FIELDS[json.loads(line)["kind"]]]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(max_size=4) | st.binary(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)


@given(RECORD, st.lists(VALUES, min_size=1, max_size=3))
def test_further_fields_of_a_later_version_come_through(record, more):
    payload = pack([*msgspec.msgpack.decode(encode(record)), *more])
    assert payload_of(jsonl.line_of(payload, decode(payload))) == payload


@given(st.integers(7, 2**40), st.lists(VALUES, max_size=3))
def test_kinds_that_are_not_known_come_through(kind, fields):
    payload = pack([kind, *fields])
    assert payload_of(jsonl.line_of(payload, decode(payload))) == payload


def test_a_further_field_inside_of_one_comes_through():
    fields = msgspec.msgpack.decode(encode(RESPONSE))
    fields[7] = [*fields[7], 17]
    payload = pack(fields)
    line = jsonl.line_of(payload, decode(payload))
    assert json.loads(line)["kind"] == "response"
    assert payload_of(line) == payload


def test_what_another_writer_spells_otherwise_is_the_same_record_and_can_be_edited():
    shorter = pack(msgspec.msgpack.decode(encode(RESPONSE))[:7])
    line = jsonl.line_of(shorter, decode(shorter))
    assert json.loads(line)["redactions"] == 0
    assert decode(payload_of(line)) == decode(shorter)
    wide = b"\x94\x03\xd3\0\0\0\0\0\0\0\0\x01\xc4\x01a"  # exchange 0 as a signed integer of 64 bits
    assert json.loads(jsonl.line_of(wide, decode(wide))) == {
        "kind": "chunk",
        "exchange": 0,
        "t": 1,
        "data": "a",
    }


def test_a_file_comes_back_byte_for_byte_from_either_side():
    payloads = [*map(encode, RECORDS), pack([3, 0, 1, b"\xff", "more"]), pack([200, "mine"])]
    text = written(*payloads)
    assert [entry.payload for entry in read(text)] == payloads
    assert written(*[entry.payload for entry in read(text)]) == text
    assert text.splitlines(keepends=True)[0].decode() == HEAD


@given(st.text(max_size=5), st.binary(max_size=5))
def test_text_that_looks_like_base64_is_text(text, data):
    for body in (json.dumps({"base64": text}).encode(), data, text.encode()):
        chunk = cassette.Chunk(exchange=0, t=0, data=body)
        assert decode(payload_of(jsonl.line_of(encode(chunk), chunk))) == chunk


def test_blank_lines_a_missing_line_end_and_fields_with_defaults_may_be_left_as_a_hand_leaves_them():
    text = HEAD + "\n" + SECTION_LINE + '{"kind":"note","text":"x","t":1}'
    assert read(text)[-1].record == cassette.Note(t=1, text="x")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (
            '{"kind": "chunk", "exchange": 0, "t": "1", "data": ""}',
            "t: expected int, found text of 1 character",
        ),
        ('{"kind": "chunk", "exchange": 0, "t": 1}', "data: expected it in a chunk, found none"),
        ('{"kind": "chunk", "exchange": 0, "t": 1, "data": 5}', "data: expected text or"),
        (
            '{"kind": "chunk", "exchange": 0, "t": 1, "data": {"base64": "?"}}',
            "data: expected base64, found text of 1 character",
        ),
        ('{"kind": "chunk", "exchange": 0, "t": 1, "date": ""}', "date: expected a field of a chunk"),
        ('{"kind": "chunk", "exchange": -1, "t": 1, "data": ""}', "exchange: expected int >= 0, found -1"),
        (
            '{"kind": "end", "exchange": 1, "t": 1, "reason": "over"}',
            "reason: expected one of complete, client",
        ),
        ('{"kind": "chunks"}', "kind: expected one of section, request"),
        ('{"kind": 3}', "kind: expected one of section, request"),
        ("{", "expected a JSON object, found 2 bytes ("),
        ("[]", "expected a JSON object, found other JSON"),
        ('{"kind": 200, "payload": "kwcA"}', "payload: expected an array that begins with"),
        ('{"kind": 201, "payload": "kczI"}', "kind: expected 200, the one in the payload; found 201"),
        ('{"kind": "note", "t": 0, "text": "", "more": "wA=="}', "more: expected a msgpack array in base64"),
        ('{"kind": "note", "t": 0, "text": "", "more": 0}', "more: expected base64, found 0"),
    ],
)
def test_a_wrong_line_is_one_error_with_its_number_and_field(line, says):
    with pytest.raises(WrongLine) as found:
        read(HEAD + SECTION_LINE + line + "\n")
    assert str(found.value).startswith(f"a.jsonl: line 3: {says}")
    assert "\n" not in str(found.value)


SECRET = "hunter2" + "secret"


@pytest.mark.parametrize(
    "line",
    [
        f'{{"kind": "note", "t": "{SECRET}", "text": ""}}',
        f'{{"kind": "note", "t": 0, "text": ["{SECRET}"]}}',
        f'{{"kind": "end", "exchange": 0, "t": 0, "reason": "{SECRET}"}}',
        f'{{"kind": "chunk", "exchange": 0, "t": 0, "data": {{"base64": "?{SECRET}"}}}}',
        f'{{"kind": "chunk", "exchange": 0, "t": 0, "data": {{"text": "{SECRET}"}}}}',
        f'{{"kind": "{SECRET}"}}',
        f'{{"kind": "note", "t": 0, "text": "", "more": "?{SECRET}"}}',
        f'{{"{SECRET}',
        f'"{SECRET}"',
        SECRET,
    ],
)
def test_a_wrong_line_is_said_without_what_stands_in_it(line):
    for text in (line + "\n", HEAD + SECTION_LINE + line + "\n"):
        with pytest.raises((WrongLine, NotTheFormat)) as found:
            read(text)
        assert SECRET not in str(found.value)


def test_a_cassette_begins_with_a_section_of_a_version_that_is_known():
    with pytest.raises(WrongLine, match="line 2: kind: expected a section first, found text of 4 characters"):
        read(HEAD + '{"kind": "note", "t": 0, "text": ""}\n')
    with pytest.raises(WrongLine, match="line 2: version: expected 1, the cassette's format; found 2"):
        read(HEAD + SECTION_LINE.replace('"version": 1', '"version": 2'))


@pytest.mark.parametrize(
    "text", ["", "{}\n", "hello\n", '{"format": "tokentape-jsonl", "version": 2}\n', "\xff"]
)
def test_another_first_line_is_another_format(text):
    with pytest.raises(NotTheFormat, match=r"line 1: .*expected"):
        read(text.encode("latin-1"))


def test_every_cut_gives_the_whole_lines_and_says_what_is_lost():
    whole = written(*map(encode, RECORDS))
    start = len(HEAD)
    for cut in range(start, len(whole)):
        lost: list[str] = []
        try:
            found = read(whole[:cut], lost)
        except WrongLine as error:  # only a cut inside of the section leaves something else first
            raise AssertionError(cut) from error
        complete = whole[start:cut].count(b"\n")
        assert [entry.record for entry in found][:complete] == list(RECORDS)[:complete]
        ends_in_line = not whole[:cut].endswith(b"\n")
        assert len(found) == complete + (ends_in_line and not lost)
        assert len(lost) in ({0, 1} if ends_in_line else {0})


@given(st.binary(max_size=80))
def test_anything_is_records_or_one_of_the_errors(data):
    with suppress(WrongLine):
        read(HEAD.encode() + SECTION_LINE.encode() + data + b"\n")


def test_half_a_character_is_no_record():
    with pytest.raises(WrongLine, match="line 3"):
        payload_of(b'{"kind": "note", "t": 0, "text": "\\ud800"}\n')
