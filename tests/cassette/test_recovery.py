"""The sweep: of a cassette that was cut anywhere, or with any bit flipped, every whole record comes back."""

import io

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.tapes import CLOSE, NOTE, RECORDS, REQUEST, SECTION, closed, entries, exchange, raw
from tokentape import cassette
from tokentape.cassette import STAND_IN, Record, Unknown, whole_entries
from tokentape.cassette._framing import MAGIC, frame

UNKNOWN = Unknown(kind=99, payload=msgspec.msgpack.encode([99, {"new": [1, None]}]))
TAPE: list[Record] = [*RECORDS[:3], UNKNOWN, *RECORDS[3:], SECTION, *exchange(0), *exchange(1)]
WHOLE = raw(*TAPE)
ENDS = [entry.offset + 10 + len(entry.payload) for entry in entries(*TAPE)]


def recovered(data: bytes) -> tuple[bytes, cassette.Reader]:
    reader = cassette.Reader(io.BytesIO(data), salvage=True)
    return MAGIC + b"".join(frame(entry.payload) for entry in whole_entries(reader)), reader


def strictly(data: bytes) -> list[Record]:
    """What a strict reader reads; it raises at the least damage."""
    return list(cassette.Reader(io.BytesIO(data)))


def test_a_whole_cassette_comes_back_byte_for_byte():
    out, reader = recovered(WHOLE)
    assert out == WHOLE
    assert reader.damage == []


def test_every_cut_leaves_exactly_the_whole_records():
    for cut in range(1, len(WHOLE)):
        out, reader = recovered(WHOLE[:cut])
        whole = sum(end <= cut for end in ENDS)
        assert strictly(out) == TAPE[:whole]
        assert bool(reader.damage) == (cut not in (len(MAGIC), *ENDS))


def test_every_flipped_bit_leaves_exactly_the_other_records():
    for position in range(len(WHOLE)):
        hit = sum(end <= position for end in ENDS) if position >= len(MAGIC) else None
        expected = [record for index, record in enumerate(TAPE) if index != hit]
        if hit is not None and isinstance(TAPE[hit], cassette.Section):
            expected.insert(hit, STAND_IN)
        for bit in range(8):
            data = bytearray(WHOLE)
            data[position] ^= 1 << bit
            out, reader = recovered(bytes(data))
            assert strictly(out) == expected, (position, bit)
            assert len(reader.damage) == 1


def test_damage_covers_what_was_lost():
    data = bytearray(WHOLE)
    for end in (ENDS[2], ENDS[5]):
        data[end + 12] ^= 1
    _, reader = recovered(bytes(data))
    assert [(each.offset, each.offset + each.length) for each in reader.damage] == [
        (ENDS[2], ENDS[3]),
        (ENDS[5], ENDS[6]),
    ]


@pytest.mark.parametrize("head", [b"", b"\0" * 11, b"\0" * 4096, MAGIC[:5], b"\xaatokentape\r\n"])
def test_a_file_without_its_beginning_is_searched(head):
    data = head + WHOLE[len(MAGIC) :]
    with pytest.raises(cassette.NotACassette):
        cassette.Reader(io.BytesIO(data), lenient=True)
    out, reader = recovered(data)
    assert out == WHOLE
    (damage,) = reader.damage
    assert (damage.offset, damage.length) == (0, len(head))
    assert "expected a cassette" in damage.reason


def test_what_is_no_cassette_has_nothing_to_recover():
    out, reader = recovered(b"hello, this is no cassette")
    assert out == MAGIC
    assert (reader.damage[0].offset, reader.damage[0].length) == (0, 26)
    with pytest.raises(cassette.NotACassette, match="empty"):
        recovered(b"")


def test_a_section_that_was_cut_out_has_a_stand_in_where_that_is_certain():
    unmarked = replace(NOTE, t=1)
    assert strictly(recovered(raw(*TAPE[1:]))[0]) == [STAND_IN, *TAPE[1:]]
    at = TAPE.index(SECTION, 1)
    without = [*TAPE[:at], unmarked, UNKNOWN, *TAPE[at + 1 :]]
    assert strictly(recovered(raw(*without))[0]) == [
        *TAPE[:at], unmarked, UNKNOWN, STAND_IN, *TAPE[at + 1 :],
    ]  # fmt: skip
    assert strictly(recovered(raw(*RECORDS, CLOSE))[0]) == [*RECORDS, STAND_IN, CLOSE]


def test_a_stand_in_keeps_two_exchanges_of_one_number_apart():
    lost = raw(*closed(SECTION, *exchange(0)), *closed(*exchange(0)))
    found = list(cassette.exchanges(strictly(recovered(lost)[0])))
    assert [(each.section_index, each.lost_chunks) for each in found] == [(0, 0), (1, 0)]


def test_a_lenient_reader_goes_on_without_a_section():
    reader = cassette.Reader(io.BytesIO(raw(REQUEST, CLOSE)), lenient=True)
    assert list(reader) == [REQUEST, CLOSE]
    assert str(reader.damage[0]) == "damaged at byte 11: expected a section record first, found Request"


PARTS = [frame(entry.payload) for entry in entries(*TAPE)] + [frame(b"\x92\x00\x05"[:n]) for n in (1, 2)]


@given(st.lists(st.one_of(st.sampled_from(PARTS), st.binary(max_size=30)), max_size=12), st.booleans())
def test_whatever_was_made_of_a_file_what_is_recovered_reads_strictly(parts, with_magic):
    data = (MAGIC if with_magic else b"") + b"".join(parts)
    if data:
        out, _ = recovered(data)
        assert strictly(out) == [entry.record for entry in whole_entries(cassette.Reader(io.BytesIO(out)))]
