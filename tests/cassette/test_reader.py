import io
import os

import msgspec
import pytest
import zstandard

from tests.cassette.golden import second_reader
from tests.cassette.tapes import CHUNKS, CLOSE, NOTE, RECORDS, REQUEST, SECTION, write
from tests.nobody import as_nobody
from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode

WHOLE = MAGIC + b"".join(frame(encode(record)) for record in RECORDS)


def read(data: bytes, *, lenient: bool = False) -> tuple[list[cassette.Record], cassette.Reader]:
    reader = cassette.Reader(io.BytesIO(data), lenient=lenient)
    return list(reader), reader


def boundaries() -> list[int]:
    ends = [len(MAGIC)]
    for record in RECORDS:
        ends.append(ends[-1] + len(frame(encode(record))))
    return ends


def test_a_cassette_comes_back_as_it_was_written(tmp_path):
    with cassette.open(write(tmp_path / "a.tape", *RECORDS)) as reader:
        assert tuple(reader) == RECORDS
    assert not reader.interrupted
    assert reader.damage == []


def test_every_cut_keeps_what_is_whole_and_is_told_from_an_interruption():
    for cut in range(1, len(WHOLE)):
        records, reader = read(WHOLE[:cut], lenient=True)
        whole = sum(end <= cut for end in boundaries()[1:])
        assert tuple(records) == RECORDS[:whole]
        assert reader.interrupted
        if cut in boundaries():
            assert reader.damage == []
        else:
            assert [damage.torn for damage in reader.damage] == [True]
            with pytest.raises(cassette.TornTail) as torn:
                read(WHOLE[:cut])
            assert torn.value.offset == reader.damage[0].offset


@pytest.mark.parametrize("data", [b"", b"data: {}\n\n", b"{}", b"\x28\xb5\x2f\xfdnot zstd at all"])
def test_other_files_are_no_cassettes(data):
    with pytest.raises(cassette.NotACassette):
        read(data)


def test_a_newer_version_asks_for_an_upgrade():
    newer = MAGIC + frame(b"\x92\x00\x02")
    for lenient in (False, True):
        with pytest.raises(cassette.UnsupportedVersion, match=r"version 2.*please upgrade"):
            read(newer, lenient=lenient)


def test_a_version_that_never_was_is_refused():
    with pytest.raises(cassette.UnsupportedVersion, match="version 0"):
        read(MAGIC + frame(encode(msgspec.structs.replace(SECTION, version=0))))


def test_a_cassette_that_does_not_begin_with_a_section_is_corrupt():
    with pytest.raises(cassette.Corrupt, match="section"):
        read(MAGIC + frame(encode(CLOSE)))


def test_a_record_whose_section_is_lost_is_whole_all_the_same():
    records, reader = read(MAGIC + b"".join(frame(encode(record)) for record in RECORDS[1:]), lenient=True)
    assert tuple(records) == RECORDS[1:]
    assert [damage[:2] for damage in reader.damage] == [(len(MAGIC), 0)]


def test_notes_and_what_is_not_known_may_follow_a_close():
    _, reader = read(WHOLE + frame(encode(NOTE)) + frame(b"\x91\xcc\xc8"))
    assert not reader.interrupted
    _, reader = read(WHOLE + frame(encode(CHUNKS[0])))
    assert reader.interrupted


def test_a_missing_file_and_a_folder_are_unreadable(tmp_path):
    for path in (tmp_path / "none.tape", tmp_path):
        with pytest.raises(cassette.Unreadable, match=str(path)):
            cassette.open(path)


def test_a_compressed_cassette_is_read_transparently(tmp_path):
    path = tmp_path / "a.tape.zst"
    path.write_bytes(zstandard.ZstdCompressor().compress(WHOLE))
    with cassette.open(path) as reader:
        assert tuple(reader) == RECORDS


def test_a_compressed_cassette_in_several_zstd_frames_is_read_to_its_end():
    compress = zstandard.ZstdCompressor().compress
    records, _ = read(compress(WHOLE[:100]) + compress(WHOLE[100:]))
    assert tuple(records) == RECORDS


def compressed(records: int = 2000) -> tuple[bytes, int]:
    """A compressed cassette with several zstd blocks, and how many records are in it."""
    noise = [cassette.Chunk(exchange=0, t=n, data=os.urandom(400)) for n in range(records)]
    whole = MAGIC + b"".join(frame(encode(record)) for record in (SECTION, REQUEST, *noise))
    return zstandard.ZstdCompressor().compress(whole), records + 2


def test_what_is_whole_before_damaged_compression_is_kept():
    data, count = compressed()
    damaged = data[: len(data) // 2] + b"\xff" * 200_000  # no block begins like this
    records, reader = read(damaged, lenient=True)
    assert 100 < len(records) < count
    assert "compression" in reader.damage[-1].reason
    assert not reader.damage[-1].torn
    with pytest.raises(cassette.Corrupt, match="compression"):
        read(damaged)


@pytest.mark.parametrize("share", [0.0002, 0.3, 0.9])
def test_a_cut_compressed_cassette_is_a_torn_tail(share):
    data, count = compressed()
    cut = data[: max(10, int(len(data) * share))]
    records, reader = read(cut, lenient=True)
    assert len(records) < count
    assert reader.interrupted
    assert [damage.torn for damage in reader.damage] == [True]
    with pytest.raises(cassette.TornTail):
        read(cut)


def test_a_file_that_grows_gives_what_is_there_when_it_is_read(tmp_path):
    path = tmp_path / "a.tape"
    with cassette.Writer(path, SECTION) as writer, cassette.open(path) as reader:
        records = iter(reader)
        assert next(records) == SECTION
        writer.write(REQUEST)
        assert next(records) == REQUEST


def test_a_limit_on_record_size_is_the_readers_choice(tmp_path):
    path = write(tmp_path / "a.tape", *RECORDS)
    with cassette.open(path, lenient=True, max_record_bytes=60) as reader:
        kept = list(reader)
    assert CHUNKS[0] in kept
    assert REQUEST not in kept


def test_standard_input_is_a_cassette_too(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(WHOLE)))
        assert tuple(cassette.open("-")) == RECORDS


@pytest.mark.parametrize("state", ["closed", "none"])
def test_a_standard_input_that_is_not_there_is_unreadable(state, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(WHOLE))
    stream.close()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", stream if state == "closed" else None)
        with pytest.raises(cassette.Unreadable, match="standard input"):
            cassette.open("-")


def test_a_file_without_permission_is_unreadable(tmp_path):
    path = write(tmp_path / "a.tape", *RECORDS)
    path.chmod(0)
    with as_nobody(), pytest.raises(cassette.Unreadable, match="Permission"):
        cassette.open(path)


def test_no_more_damage_is_listed_than_memory_is_there_for(monkeypatch):
    monkeypatch.setattr("tokentape.cassette._reader._MAX_DAMAGE", 3)
    data = MAGIC + frame(encode(SECTION)) + (b"x" * 7 + frame(encode(CLOSE))) * 5
    records, reader = read(data, lenient=True)
    assert len(records) == 6
    assert [damage.length for damage in reader.damage] == [7, 7, 21]
    step = 7 + len(frame(encode(CLOSE)))
    assert reader.damage[2].offset == reader.damage[0].offset + 2 * step
    assert "more damage than is listed" in str(reader.damage[-1])


@pytest.mark.parametrize("tail", [b"", frame(encode(CHUNKS[0])), b"\xc9torn", WHOLE[len(MAGIC) :]])
@pytest.mark.parametrize("newer", [b"\x92\x00\x09", encode(msgspec.structs.replace(SECTION, version=9))])
@pytest.mark.parametrize("pack", [bytes, zstandard.compress], ids=["plain", "zstd"])
def test_a_later_section_of_a_newer_version_is_damage_to_the_end_and_costs_nothing_before_it(
    pack, newer, tail
):
    data = WHOLE + frame(newer) + tail
    records, reader = read(pack(data), lenient=True)
    assert tuple(records) == RECORDS
    (damage,) = reader.damage
    assert damage[:2] == (len(WHOLE), len(data) - len(WHOLE))
    assert not damage.torn
    assert "format version 9, and this tokentape reads 1; please upgrade" in damage.reason
    assert reader.newer is not None
    other = second_reader().read(data)
    assert len(other["records"]) == len(RECORDS)
    assert [(each["offset"], each["length"], each["torn"]) for each in other["damage"]] == [
        (*damage[:2], False)
    ]
    assert other["interrupted"] == reader.interrupted
    with pytest.raises(cassette.UnsupportedVersion, match="version 9"):
        read(pack(data))


def test_a_newer_version_behind_records_without_a_section_is_refused():
    data = MAGIC + frame(encode(REQUEST)) + frame(b"\x92\x00\x09") + WHOLE[len(MAGIC) :]
    with pytest.raises(cassette.UnsupportedVersion, match="version 9"):
        read(data, lenient=True)
