"""Whatever is done to a cassette, a reader says so and gives the rest: a few tries here, more by `make fuzz`.

A mutant is made in three steps: from records to payloads, some of them hostile, so that the msgpack decoder
is reached behind right checksums; from payloads to frames, some of them doubled, swapped or lying about
their lengths; and from bytes to bytes. TOKENTAPE_FUZZ is the number of mutants to try.
"""

import io
import os
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.cassette.golden import FOLDER, second_reader
from tests.cassette.tapes import CHUNKS, CLOSE, END, NOTE, RECORDS, REQUEST, RESPONSE, SECTION
from tests.replay.recordings import exchange
from tokentape import analysis, cassette, replay
from tokentape.cassette._framing import MAGIC, Frame, frame, read_frames
from tokentape.cassette._records import encode

MUTANTS = int(os.environ.get("TOKENTAPE_FUZZ", "400"))
thorough = settings(
    max_examples=MUTANTS,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    print_blob=True,
)
few = settings(thorough, max_examples=max(20, MUTANTS // 100))

HUGE = b"\xff\xff\xff\xff"
HOSTILE = (
    *(lead + HUGE for lead in (b"\xdd", b"\xdf", b"\xc6", b"\xdb", b"\xc9")),  # absurd lengths
    *(lead + HUGE[:2] for lead in (b"\xdc", b"\xde", b"\xc5", b"\xda")),
    *(lead * 100_000 for lead in (b"\x91", b"\x81", b"\xdd\x00\x00\x00\x01", b"\x81\xc0")),  # nested
    b"\xcf" + HUGE * 2,
    b"\xd3\x80" + bytes(7),
    struct.pack(">Bq", 0xD3, 2**60 + 1),
    struct.pack(">Bd", 0xCB, float("nan")),
    struct.pack(">Bd", 0xCB, float("-inf")),
    struct.pack(">Bd", 0xCB, 1.0),
    b"\xa2\xff\xfe",  # not UTF-8
    b"\xa3\xed\xa0\x80",  # a surrogate
    b"\xd6\xff" + HUGE,  # no time
    b"\xc7\x0c\xff" + HUGE * 3,
    b"\xd4T\x00",
    b"\xc1",
    *(bytes([byte]) for byte in (0x80, 0x90, 0xA0, 0xC0, 0xC2, 0xC3, 0x7F, 0xFF)),
    b"\xc4\x00",
    b"\x82\xa1a\xa1a\xa1a\xa1b",  # the same key twice
)


def elements(payload: bytes) -> list[bytes]:
    """The elements of a payload, each as its bytes."""
    return [bytes(each) for each in msgspec.msgpack.decode(payload, type=list[msgspec.Raw])]


def array(parts: list[bytes]) -> bytes:
    return b"\xdc" + struct.pack(">H", len(parts)) + b"".join(parts)


GOLDEN = [
    (FOLDER / name).read_bytes()
    for name in ("v1-every-field.tape", "v1-sections.tape", "v1-further.tape", "v1-damaged.tape")
]
PAYLOADS = [encode(record) for record in RECORDS]
PAYLOADS += [entry.payload for entry in cassette.Reader(io.BytesIO(GOLDEN[2])).entries()]

hostile = st.sampled_from(HOSTILE)
raw = st.one_of(st.binary(max_size=12), hostile)


@st.composite
def hostile_payloads(draw: st.DrawFn) -> bytes:
    """A record's payload with an element replaced, put in or taken out, or some of its bytes."""
    payload = draw(st.sampled_from(PAYLOADS))
    if draw(st.booleans()):
        parts = elements(payload)
        at = draw(st.integers(0, len(parts)))
        parts[at : at + draw(st.integers(0, 2))] = draw(st.lists(raw, max_size=2))
        return array(parts)
    at = draw(st.integers(0, len(payload)))
    return payload[:at] + draw(raw) + payload[at + draw(st.integers(0, 9)) :]


@st.composite
def hostile_frames(draw: st.DrawFn) -> bytes:
    """A frame whose length, type or checksum is not that of its payload, or one inside of another."""
    inner = frame(draw(st.sampled_from(PAYLOADS)))
    match draw(st.integers(0, 3)):
        case 0:
            length = draw(st.one_of(st.integers(0, 400), st.sampled_from([2**32 - 1, 2**28 + 4, 2**28 + 5])))
            return inner[:1] + struct.pack(">I", length) + inner[5:]
        case 1:
            return inner[:5] + draw(st.binary(min_size=1, max_size=5)) + inner[10:]
        case 2:
            return frame(inner * 3)
        case _:
            return inner[: draw(st.integers(1, len(inner)))] + draw(st.binary(max_size=20))


@st.composite
def tapes(draw: st.DrawFn) -> bytes:
    """The magic and a row of frames, some of them hostile."""
    if draw(st.integers(0, 5)) == 0:
        return draw(st.sampled_from(GOLDEN))
    frames = [frame(payload) for payload in PAYLOADS[: draw(st.integers(1, len(RECORDS)))]]
    strange = st.one_of(hostile_payloads().map(frame), hostile_frames())
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(frames)))
        match draw(st.integers(0, 3)):
            case 0:
                frames[at:at] = [draw(strange)]
            case 1:
                frames[at : at + 1] = [draw(strange)]
            case 2:
                frames[at:at] = frames[: draw(st.integers(1, 3))]
            case _:
                frames[at:], frames[:at] = frames[:at], frames[at:]
    return MAGIC + b"".join(frames)


def flipped(data: bytes, at: int, amount: int) -> bytes:
    return data[:at] + bytes([data[at] ^ (1 << amount % 8)]) + data[at + 1 :] if at < len(data) else data


MUTATIONS: tuple[Callable[[bytes, int, int], bytes], ...] = (
    flipped,
    flipped,
    lambda data, at, _: data[:at],
    lambda data, at, amount: data[:at] + data[at + amount :],
    lambda data, at, amount: data[:at] + bytes(amount) + data[at + amount :],
    lambda data, at, amount: data[:at] + data[amount:at] + data[at:],
    lambda data, at, amount: data[:at] + b"\xc9\x00\x00\x00\xffT" * (amount % 40) + data[at:],
    lambda data, at, amount: data[:at] + data[-amount:],
)


@st.composite
def mutants(draw: st.DrawFn) -> bytes:
    """A cassette to whose bytes something was done as well."""
    data = draw(tapes())
    for _ in range(draw(st.integers(0, 3))):
        mutate = MUTATIONS[draw(st.integers(0, len(MUTATIONS) - 1))]
        data = mutate(data, draw(st.integers(0, len(data))), draw(st.integers(1, 300)))
    return data


def lenient(data: bytes) -> tuple[list[cassette.Entry], list[cassette.Damage], bool] | type[Exception]:
    """What a lenient reader finds, or the one of its documented errors that it raises."""
    try:
        with cassette.Reader(io.BytesIO(data), lenient=True) as reader:
            return list(reader.entries()), reader.damage, reader.interrupted
    except (cassette.NotACassette, cassette.UnsupportedVersion) as error:
        return type(error)


def strict(data: bytes) -> tuple[list[cassette.Entry], cassette.CassetteError | None]:
    found: list[cassette.Entry] = []
    try:
        with cassette.Reader(io.BytesIO(data)) as reader:
            found.extend(reader.entries())
    except cassette.CassetteError as error:
        return found, error
    return found, None


@thorough
@given(mutants())
@example(MAGIC)
@example(MAGIC[:4])
@example(b"")
def test_every_byte_is_in_a_whole_record_or_in_damage_that_is_listed(data):
    found = lenient(data)
    if isinstance(found, type):
        assert isinstance(strict(data)[1], cassette.CassetteError)
        return
    entries, damage, _ = found
    pieces = sorted(
        [(entry.offset, 1, 10 + len(entry.payload)) for entry in entries]
        + [(each.offset, each.length > 0, each.length) for each in damage]
    )
    position = 0 if len(data) < len(MAGIC) else len(MAGIC)
    for offset, _, length in pieces:
        assert offset == position
        position += length
    assert position == len(data)
    for entry in entries:
        assert data.startswith(frame(entry.payload), entry.offset)
    assert [each.torn for each in damage[:-1]] == [False] * len(damage[:-1])


@thorough
@given(mutants())
def test_a_strict_reader_gives_the_same_up_to_the_first_damage_and_raises_it(data):
    found = lenient(data)
    whole, error = strict(data)
    if isinstance(found, type):
        assert error is not None
        return
    entries, damage, _ = found
    if not damage:
        assert (whole, error) == (entries, None)
        return
    first = damage[0]
    assert whole == [entry for entry in entries if entry.offset < first.offset]
    assert type(error) is (cassette.TornTail if first.torn else cassette.Corrupt)
    assert (error.offset, error.reason) == (first.offset, first.reason)


@thorough
@given(mutants())
def test_what_is_whole_makes_a_cassette_again_and_exchanges_lose_none_of_it(data):
    found = lenient(data)
    if isinstance(found, type):
        return
    entries, _, interrupted = found
    rebuilt = MAGIC + b"".join(frame(entry.payload) for entry in entries)
    again = lenient(rebuilt)
    assert not isinstance(again, type)
    assert [entry.record for entry in again[0]] == [entry.record for entry in entries]
    assert again[2] == interrupted
    assert all(damage.length == 0 for damage in again[1])  # no more than that the section is lost
    records = [entry.record for entry in entries]
    made = list(cassette.exchanges(records))
    assert sum(len(each.chunks) for each in made) == sum(type(record) is cassette.Chunk for record in records)
    assert sum(each.end is not None for each in made) == sum(type(r) is cassette.End for r in records)


by_the_document = second_reader()


@thorough
@given(mutants())
def test_a_reader_made_from_the_document_alone_finds_the_same_frames(data):
    found = lenient(data)
    try:
        other = by_the_document.read(data)
    except (ValueError, NotImplementedError):
        assert isinstance(found, type)
        return
    if isinstance(found, type):
        assert found is cassette.UnsupportedVersion
        return
    entries, damage, _ = found
    ours = {entry.offset for entry in entries} | {each.offset for each in damage if each.length}
    assert ours == {each["offset"] for each in other["records"] + other["damage"] if each.get("length") != 0}
    assert [each.offset for each in damage if each.torn] == [
        each["offset"] for each in other["damage"] if each["torn"]
    ]


def lying(payload: bytes, length: int) -> bytes:
    framed = frame(payload)
    return framed[:1] + struct.pack(">I", length) + framed[5:]


look_alike = st.binary(max_size=24).map(
    lambda data: bytes(b"\xc9T\0\0\0\x05\x20\x91"[byte % 8] for byte in data)
)
like_frames = st.lists(
    st.one_of(
        look_alike,
        look_alike.filter(bool).map(frame),
        st.builds(lying, look_alike, st.integers(0, 150)),
        st.integers(1, 4).map(lambda times: frame(frame(b"inside") * times)),
        st.binary(max_size=9).map(lambda data: b"\xc9\0\0\0" + data[:1] + b"T" + data[1:]),
    ),
    max_size=8,
).map(b"".join)


@thorough
@given(
    like_frames, st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 7)), max_size=3), st.integers(1, 40)
)
def test_frames_are_found_where_the_document_says_among_bytes_that_look_like_them(data, flips, step):
    for at, bit in flips:
        data = flipped(data, at, bit)
    expected = []
    offset = 0
    while offset < len(data):
        payload, end = by_the_document.frame_at(data, offset)
        found = by_the_document.behind(data, offset, end) if payload is None else end
        torn = payload is None and found is None and end is not None and end > len(data)
        expected.append((offset, payload, torn))
        offset = found or len(data)
    stream = io.BytesIO(data)
    assert [
        (item.offset, item.payload if isinstance(item, Frame) else None, getattr(item, "torn", False))
        for item in read_frames(lambda size: stream.read(min(size, step)))
    ] == expected


whole_tapes = st.lists(st.sampled_from(PAYLOADS), max_size=12).map(
    lambda payloads: MAGIC + b"".join(map(frame, [PAYLOADS[0], *payloads]))
)


@thorough
@given(whole_tapes, st.booleans(), st.integers(1, 3), st.lists(st.integers(0, 10**9), min_size=3, max_size=3))
def test_damaged_compression_gives_no_record_that_was_not_written(data, checksum, frames, amounts):
    compress = zstandard.ZstdCompressor(write_checksum=checksum).compress
    size = len(data) // frames + 1
    compressed = b"".join(compress(data[at : at + size]) for at in range(0, len(data), size))
    assert lenient(compressed) == lenient(data)
    mutate, at, amount = amounts
    compressed = MUTATIONS[mutate % len(MUTATIONS)](compressed, at % len(compressed), amount % 300 + 1)
    found, (whole, error) = lenient(compressed), strict(compressed)
    if isinstance(found, type):
        assert error is not None
        return
    entries, damage, _ = found
    assert bool(damage) == (error is not None)
    assert whole == entries[: len(whole)]
    assert {entry.payload for entry in entries} <= set(PAYLOADS)


LOADED = [SECTION, *exchange(0), *exchange(1, start_ms=50), REQUEST, RESPONSE, *CHUNKS, END, NOTE, CLOSE]
WHOLE = MAGIC + b"".join(frame(encode(record)) for record in LOADED)


@few
@given(st.one_of(mutants(), st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 7))))
def test_whoever_loads_one_meets_documented_errors_only(tmp_path, data: Any):
    if isinstance(data, tuple):
        data = flipped(WHOLE, *data)
    path = tmp_path / "a.tape"
    path.write_bytes(data)
    found = lenient(data)
    for load, errors in (
        (analysis.load, cassette.CassetteError),
        (replay.load, (cassette.CassetteError, replay.NothingToServe)),
    ):
        refused: type[Exception] | None = None
        try:
            lost = load(path).lost
        except errors as error:
            refused = type(error)
        if refused is None:
            assert not isinstance(found, type)
            assert bool(lost) >= bool(found[1])
        elif refused is not replay.NothingToServe:
            assert found is refused


@pytest.mark.parametrize("payload", HOSTILE, ids=lambda payload: payload[:8].hex())
def test_a_hostile_payload_is_a_record_or_damage_wherever_it_stands(payload):
    for record in PAYLOADS:
        parts = elements(record)
        for at in range(len(parts) + 1):
            data = MAGIC + frame(PAYLOADS[0]) + frame(array([*parts[:at], payload, *parts[at + 1 :]]))
            found = lenient(data)
            if found is not cassette.UnsupportedVersion:
                assert isinstance(found, tuple)
                assert len(found[0]) + len(found[1]) == 2
