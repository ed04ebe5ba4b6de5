import io
import os
import subprocess
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette._framing import Damage, Frame, frame, read_frames

PAYLOADS = [b"\x91\x00", b"\x92\x01\xc9" + b"T" * 20, b"\xc9\x00\x00\x00\x04T\x00\x00\x00\x00", b"z" * 300]
WHOLE = b"".join(frame(payload) for payload in PAYLOADS)


def read(data: bytes, **options: int) -> list[Frame | Damage]:
    return list(read_frames(io.BytesIO(data).read, **options))


def payloads(items: list[Frame | Damage]) -> list[bytes]:
    return [item.payload for item in items if isinstance(item, Frame)]


def starts() -> list[int]:
    lengths = [len(frame(payload)) for payload in PAYLOADS]
    return [sum(lengths[:n]) for n in range(len(lengths) + 1)]


def test_a_frame_is_a_msgpack_extension_of_its_own_type_with_a_checksum():
    assert frame(b"abc") == b"\xc9\x00\x00\x00\x07T\x35\x24\x41\xc2abc"


def test_frames_come_back_with_their_offsets():
    assert read(WHOLE, offset=11) == [
        Frame(11 + start, payload) for start, payload in zip(starts(), PAYLOADS, strict=False)
    ]


def test_a_source_that_gives_one_byte_at_a_time_changes_nothing():
    stream = io.BytesIO(WHOLE)
    assert list(read_frames(lambda _: stream.read(1))) == read(WHOLE)


def test_every_cut_keeps_the_whole_frames_and_reports_a_torn_tail():
    for cut in range(len(WHOLE)):
        items = read(WHOLE[:cut])
        whole = sum(end <= cut for end in starts()[1:])
        assert payloads(items) == PAYLOADS[:whole]
        if cut in starts():
            assert len(items) == whole
        else:
            start = starts()[whole]
            assert isinstance(items[-1], Damage)
            assert items[-1][:2] == (start, cut - start)
            assert items[-1].torn


def test_every_flipped_bit_is_found_and_costs_one_frame():
    for position in range(len(WHOLE)):
        for bit in range(8):
            data = bytearray(WHOLE)
            data[position] ^= 1 << bit
            items = read(bytes(data))
            hit = sum(end <= position for end in starts()[1:])
            assert payloads(items) == PAYLOADS[:hit] + PAYLOADS[hit + 1 :]
            (damage,) = [item for item in items if isinstance(item, Damage)]
            assert damage[:2] == (starts()[hit], starts()[hit + 1] - starts()[hit])
            assert damage.torn <= (hit == len(PAYLOADS) - 1)


def test_a_frame_inside_a_damaged_payload_is_not_taken_for_a_record():
    inner = frame(b"\x91\x07")
    data = bytearray(frame(b"before" + inner) + frame(b"next"))
    data[10] ^= 1
    assert payloads(read(bytes(data))) == [b"next"]


@pytest.mark.parametrize("last", [b"last", b""])
def test_a_damaged_length_that_leads_to_a_later_frame_costs_no_frame_before_it(last):
    between = [b"\x91\x01" * 4, b"x" * (128 - 18 - 10)]  # whole frames of 128 bytes together
    items = [b"first", *between, last] if last else [b"first", *between]
    data = bytearray(b"".join(frame(item) for item in items))
    data[4] ^= 128  # the length of the first frame
    assert payloads(read(bytes(data))) == items[1:]


BIG = [os.urandom(size) for size in (5_000_000, 40_000, 3_000_000, 100, 1_500_000)]
"""Longer than what is read at a time, so that the window over the file moves."""


@pytest.mark.parametrize("hit", range(len(BIG)))
@pytest.mark.parametrize("position", [1, 3, 5, 7, 12])
def test_damage_to_one_of_long_frames_costs_that_one(hit, position):
    data = bytearray(b"".join(frame(item) for item in BIG))
    data[sum(len(frame(item)) for item in BIG[:hit]) + position] ^= 1
    assert payloads(read(bytes(data))) == BIG[:hit] + BIG[hit + 1 :]


def test_long_frames_behind_garbage_are_found_whatever_it_looks_like():
    fake = b"\xc9\x00\x0f\xff\xffT\x00\x00\x00\x00"
    found = read(fake * 20_000 + frame(BIG[2]) + fake * 20_000 + frame(BIG[0]) + frame(BIG[3]))
    assert payloads(found) == [BIG[2], BIG[0], BIG[3]]


@pytest.mark.parametrize("between", [b"", frame(b"\x91\x05")])
def test_places_that_look_like_long_frames_cost_no_more_than_their_number(between, monkeypatch):
    """Summing each of them would take their number times their length."""
    summed = 0

    def count(data: bytes, value: int = 0) -> int:
        nonlocal summed
        summed += len(data)
        return zlib.crc32(data, value)

    monkeypatch.setattr("tokentape.cassette._framing.crc32", count)
    monkeypatch.setattr("tokentape.cassette._range_sums.crc32", count)
    fake = b"\xc9\x00\x01\xff\xffT\x00\x00\x00\x00" + between
    places = 5_000 + 131_072 // len(fake)  # so that 5,000 have the 128 kB that they claim
    found = read(fake * places)
    assert payloads(found) == ([b"\x91\x05"] * places if between else [])
    assert summed < 5_000 * 131_072 / 2


def test_an_absurd_length_is_refused_without_reading_for_it():
    asked = []

    def source(size: int) -> bytes:
        asked.append(size)
        return b"\xc9\xff\xff\xff\xffT\x00\x00\x00\x00" if len(asked) == 1 else b""

    (damage,) = list(read_frames(source))
    assert isinstance(damage, Damage)
    assert "4294967295" in damage.reason
    assert max(asked) <= 1 << 20


def test_a_lower_limit_refuses_longer_records_and_goes_on_behind_them():
    items = read(WHOLE, max_record_bytes=100)
    assert payloads(items) == PAYLOADS[:-1]
    assert isinstance(items[-1], Damage)


@given(st.binary(max_size=400))
def test_frames_and_damage_cover_every_byte_of_anything(data):
    position = 0
    for item in read(data):
        assert item.offset == position
        position += item.length if isinstance(item, Damage) else len(item.payload) + 10
    assert position == len(data)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.binary(min_size=1, max_size=30))
def test_whole_frames_behind_garbage_are_found(items, garbage):
    behind = b"".join(frame(item) for item in items)
    found = payloads(read(garbage + behind))
    assert found[len(found) - len(items) :] == items


@pytest.mark.parametrize("length", [0, 1, 3, 4])
def test_a_length_too_short_for_a_checksum_and_a_payload_is_damage(length):
    (damage,) = read(b"\xc9" + length.to_bytes(4) + b"T\x00\x00\x00\x00")
    assert isinstance(damage, Damage)
    assert f"length of {length}" in damage.reason


def test_damage_says_in_a_line_what_was_lost_where_and_why():
    assert str(Damage(11, 1, "why")) == "1 byte damaged at byte 11: why"
    assert str(Damage(11, 20, "why", torn=True)) == "cut off at byte 11: why"


def test_the_checksum_is_the_same_where_only_the_standard_library_is():
    program = (
        "import sys; sys.modules['zlib_ng'] = None\n"
        "from tokentape.cassette import _framing\n"
        "print(_framing.crc32.__module__, _framing.frame(b'abc').hex())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["zlib", frame(b"abc").hex()]
