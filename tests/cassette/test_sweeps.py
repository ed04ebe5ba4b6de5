"""Every cut and every flipped bit of a small cassette, at each level that reads cassettes."""

import io
from collections import Counter

import pytest
import zstandard
from click.testing import CliRunner

from tests.cassette.golden import contents, second_reader
from tests.cassette.tapes import RECORDS
from tests.replay.recordings import exchange, tape
from tokentape import analysis, cassette, replay
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode
from tokentape.cli import main

WHOLE = MAGIC + b"".join(frame(encode(record)) for record in RECORDS)
ENDS = [len(MAGIC)]
for _record in RECORDS:
    ENDS.append(ENDS[-1] + len(frame(encode(_record))))


def flipped(data: bytes, position: int, bit: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 1 << bit]) + data[position + 1 :]


def read(data: bytes) -> tuple[tuple[cassette.Record, ...], cassette.Reader]:
    reader = cassette.Reader(io.BytesIO(data), lenient=True)
    return tuple(reader), reader


def record_at(position: int) -> int:
    """The index of the record to which a byte belongs."""
    return sum(end <= position for end in ENDS[1:])


def is_a_part(found: tuple[cassette.Record, ...]) -> bool:
    """Whether these are records that were written, in their order."""
    rest = iter(RECORDS)
    return all(record in rest for record in found)


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_is_found_with_its_offset_and_costs_one_record(bit):
    for position in range(len(MAGIC), len(WHOLE)):
        data = flipped(WHOLE, position, bit)
        hit = record_at(position)
        found, reader = read(data)
        assert found == RECORDS[:hit] + RECORDS[hit + 1 :]
        (damage,) = reader.damage
        assert damage[:2] == (ENDS[hit], ENDS[hit + 1] - ENDS[hit])
        assert damage.torn <= (hit == len(RECORDS) - 1)
        with pytest.raises((cassette.Corrupt, cassette.TornTail)) as raised:
            list(cassette.Reader(io.BytesIO(data)))
        assert raised.value.offset == damage.offset


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_the_magic_makes_it_no_cassette(bit):
    for position in range(len(MAGIC)):
        with pytest.raises(cassette.NotACassette):
            read(flipped(WHOLE, position, bit))


def test_a_cut_behind_a_flipped_bit_costs_no_more_than_either():
    for position in range(len(MAGIC), len(WHOLE)):
        data = flipped(WHOLE, position, position % 8)
        hit = record_at(position)
        for cut in range(position + 1, len(WHOLE) + 1, 3):
            found, reader = read(data[:cut])
            whole = record_at(cut)
            assert found == RECORDS[: min(hit, whole)] + RECORDS[hit + 1 : whole]
            assert reader.damage[0].offset == ENDS[hit]


@pytest.mark.parametrize("bit", [0, 7])
def test_a_reader_made_from_the_document_alone_finds_the_same_behind_every_flipped_bit(bit):
    other = second_reader()
    for position in range(len(MAGIC), len(WHOLE)):
        data = flipped(WHOLE, position, bit)
        assert other.read(data) == contents(cassette.Reader(io.BytesIO(data), lenient=True))


def test_a_reader_made_from_the_document_alone_finds_the_same_before_every_cut():
    other = second_reader()
    for cut in range(1, len(WHOLE)):
        assert other.read(WHOLE[:cut]) == contents(cassette.Reader(io.BytesIO(WHOLE[:cut]), lenient=True))


def compressions() -> dict[str, bytes]:
    plain = zstandard.ZstdCompressor().compress
    return {
        "one-frame": plain(WHOLE),
        "with-checksum": zstandard.ZstdCompressor(write_checksum=True).compress(WHOLE),
        "a-frame-a-record": b"".join(
            plain(WHOLE[start:end]) for start, end in zip([0, *ENDS[1:]], ENDS[1:], strict=False)
        ),
    }


@pytest.mark.parametrize("kind", compressions())
def test_every_cut_of_a_compressed_cassette_keeps_a_beginning(kind):
    compressed = compressions()[kind]
    counts = Counter[int]()
    for cut in range(5, len(compressed)):
        found, reader = read(compressed[:cut])
        assert found == RECORDS[: len(found)]
        assert all(damage.torn for damage in reader.damage)
        assert len(reader.damage) <= 1
        assert reader.interrupted == (len(found) < len(RECORDS))
        counts[len(found)] += 1
    if kind == "a-frame-a-record":
        assert set(counts) == set(range(len(RECORDS)))


@pytest.mark.parametrize("kind", compressions())
def test_no_flipped_bit_of_a_compressed_cassette_makes_a_record_that_was_not_written(kind):
    compressed = compressions()[kind]
    for position in range(len(compressed)):
        for bit in range(8):
            try:
                found, reader = read(flipped(compressed, position, bit))
            except cassette.NotACassette:
                continue
            assert is_a_part(found)
            assert (
                found == RECORDS or reader.damage or (reader.interrupted and found == RECORDS[: len(found)])
            )


@pytest.mark.parametrize("load", [analysis.load, replay.load])
def test_what_loads_cassettes_says_of_every_cut_and_flip_what_was_lost(load, tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, start_ms=9), exchange(2, start_ms=20))
    whole = path.read_bytes()
    for position in range(len(MAGIC), len(whole), 31):
        path.write_bytes(flipped(whole, position, position % 8))
        assert load(path).lost
        path.write_bytes(whole[:position])
        with cassette.open(path, lenient=True) as reader:
            several = sum(isinstance(record, cassette.End) for record in reader) > 1
        if several:
            assert bool(load(path).lost) >= bool(reader.damage)


@pytest.mark.parametrize("position", [20, 300, 500, 700, -3])
def test_a_verb_that_meets_damage_exits_3_and_says_what_was_lost(position, tmp_path):
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, start_ms=9), exchange(2, start_ms=20))
    path.write_bytes(flipped(path.read_bytes(), position % path.stat().st_size, 3))
    done = CliRunner().invoke(main, ["analyze", "--json", str(path)])
    assert done.exit_code == 3
    assert "lost: " in done.stderr
    assert " at byte " in done.stderr
