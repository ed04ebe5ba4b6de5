import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.tapes import RECORDS, RESPONSE, SECTION
from tokentape import cassette
from tokentape.cassette._records import decode, encode


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_come_back_as_they_were(record):
    assert decode(encode(record)) == record


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_the_kind_is_the_first_element_of_an_array(record):
    kinds = ["Section", "Request", "Response", "Chunk", "End", "Note", "Close"]
    fields = msgspec.msgpack.decode(encode(record))
    assert fields[0] == kinds.index(type(record).__name__)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_further_fields_of_a_known_kind_are_skipped(record):
    fields = msgspec.msgpack.decode(encode(record))
    assert decode(msgspec.msgpack.encode([*fields, "new", {"more": 1}])) == record


def test_a_field_that_an_older_writer_did_not_have_takes_its_default():
    fields = msgspec.msgpack.decode(encode(RESPONSE))
    assert decode(msgspec.msgpack.encode(fields[:7])) == msgspec.structs.replace(
        RESPONSE, connect=None, redactions=0
    )


@pytest.mark.parametrize("kind", [7, 128, 255, 10**6])
def test_an_unknown_kind_is_kept_with_its_payload(kind):
    payload = msgspec.msgpack.encode([kind, "anything", {"at": "all"}])
    assert decode(payload) == cassette.Unknown(kind=kind, payload=payload)


def test_a_section_of_a_later_version_is_told_by_its_version_whatever_else_it_holds():
    record = decode(msgspec.msgpack.encode([0, 2, {"quite": "different"}]))
    assert isinstance(record, cassette.Section)
    assert record.version == 2


@pytest.mark.parametrize(
    "fields",
    [
        [],
        ["chunk", 0],
        [3],
        [3, 0, 1.5, b""],
        [3, 0, 1, "text"],
        [4, 0, 1, "no such reason"],
        [0, 1, "x"],
        [3, 0, 2**63, b""],
        [2, 0, 1, 1000, b"", "", []],
        7,
        {},
    ],
)
def test_what_is_no_record_is_a_value_error(fields):
    with pytest.raises(ValueError, match=r"expected|Expected|Invalid"):
        decode(msgspec.msgpack.encode(fields))


def test_deep_nesting_is_a_value_error():
    with pytest.raises(ValueError, match="expected"):
        decode(b"\x91" * 100_000)


def test_what_nests_as_deep_as_the_document_allows_is_walked_over():
    deep = b"\x92\xcc\xc8" + b"\x91" * 62 + b"\x90"
    assert decode(deep) == cassette.Unknown(kind=200, payload=deep)


@pytest.mark.parametrize(
    "more",
    [
        b"\xa2\xff\xfe",
        b"\xd6\xff\xff\xff\xff\xff",
        b"\xc7\x0c\xff" + b"\xff" * 12,
        b"\x81\x90\xc0",
        b"\xd4\x05\x00",
    ],
    ids=["no UTF-8", "no time", "no year", "a list as key", "an extension"],
)
def test_what_is_not_known_is_kept_whatever_it_holds(more):
    unknown, known = b"\x92\xcc\xc8" + more, b"\x95" + encode(RECORDS[3])[1:] + more
    assert decode(unknown) == cassette.Unknown(kind=200, payload=unknown)
    assert decode(known) == RECORDS[3]
    assert decode(b"\x93\x00\x02" + more).version == 2


@pytest.mark.parametrize("kind", [-1, -(2**63)])
def test_a_negative_kind_is_none(kind):
    with pytest.raises(ValueError, match="kind"):
        decode(msgspec.msgpack.encode([kind]))


def test_a_text_that_is_not_utf_8_is_told_with_its_kind():
    with pytest.raises(ValueError, match="record of kind 5"):
        decode(b"\x93\x05\x00\xa1\xff")


@given(st.binary(max_size=60))
def test_anything_is_a_record_or_a_value_error(payload):
    try:
        decode(payload)
    except ValueError:
        return


def test_records_are_frozen():
    with pytest.raises(AttributeError):
        SECTION.version = 2  # type: ignore[misc]
