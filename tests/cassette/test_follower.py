import os
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cassette.tapes import CHUNKS, CLOSE, END, RECORDS, REQUEST, SECTION, write
from tokentape import cassette
from tokentape.cassette._framing import frame
from tokentape.cassette._records import encode


@pytest.fixture
def whole(tmp_path):
    return write(tmp_path / "whole.tape", *RECORDS).read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tape"


def test_a_writer_that_writes_byte_by_byte_is_followed_record_by_record(path, whole):
    with cassette.open(path.with_name("whole.tape")) as tape:
        ends = {entry.offset: entry.record for entry in tape.entries()}
    found = []
    with cassette.Follower(path) as follower, path.open("wb", buffering=0) as file:
        for position in range(len(whole)):
            file.write(whole[position : position + 1])
            found += follower.poll()
            # every record that lies wholly before this place, and no other
            begun = sum(offset <= position for offset in ends)
            assert len(found) in (begun, begun - 1)
        assert found == list(RECORDS)
        assert follower.damage == []
        assert (follower.generation, follower.size) == (1, len(whole))


@given(st.lists(st.integers(1, 300), max_size=8))
@settings(deadline=None)
def test_however_a_file_grows_what_is_yielded_is_what_a_reader_yields(tmp_path_factory, sizes):
    folder = tmp_path_factory.mktemp("grown")
    whole = write(folder / "whole.tape", *RECORDS).read_bytes()
    found = []
    with cassette.Follower(folder / "a.tape") as follower, (folder / "a.tape").open("wb", 0) as file:
        for size in [*sizes, len(whole)]:
            file.write(whole[:size])
            whole = whole[size:]
            found += follower.poll()
    assert found == list(RECORDS)


def test_a_file_that_is_not_there_yet_is_waited_for(path, whole):
    with cassette.Follower(path) as follower:
        assert list(follower.poll()) == []
        assert (follower.size, follower.generation) == (None, 0)
        path.write_bytes(whole)
        assert list(follower.poll()) == list(RECORDS)
        assert list(follower.poll()) == []


def test_a_half_written_record_that_holds_a_cassette_is_no_damage(path, whole):
    inner = cassette.Chunk(exchange=0, t=1, data=whole)
    outer = write(path.with_name("outer.tape"), SECTION, REQUEST, inner, END).read_bytes()
    found = []
    with cassette.Follower(path) as follower, path.open("wb", buffering=0) as file:
        for position in range(len(outer)):
            file.write(outer[position : position + 1])
            found += follower.poll()
        assert found == [SECTION, REQUEST, inner, END]
        assert follower.damage == []


def test_a_half_written_record_behind_a_whole_one_is_no_damage_wherever_it_ends(path, whole):
    inner = cassette.Chunk(exchange=0, t=1, data=whole)
    outer = write(path.with_name("outer.tape"), SECTION, REQUEST, inner, END).read_bytes()
    for size in range(len(outer)):
        path.write_bytes(outer[:size])
        with cassette.Follower(path) as follower:
            found = list(follower.poll())
            assert found == [SECTION, REQUEST, inner, END][: len(found)]
            assert follower.damage == []


def test_a_record_that_is_not_whole_is_not_read_again_and_again(path, whole, monkeypatch):
    path.write_bytes(whole[:-1])
    with cassette.Follower(path) as follower:
        list(follower.poll())
        monkeypatch.setattr("tokentape.cassette._follower.read_frames", None)
        assert list(follower.poll()) == []


def test_the_list_of_damage_is_bounded(path, whole):
    spoilt = frame(encode(CLOSE))[:-1] + b"\xff" + frame(encode(CLOSE))
    path.write_bytes(whole + spoilt * 150)
    with cassette.Follower(path) as follower:
        assert len(list(follower.poll())) == len(RECORDS) + 150
        assert len(follower.damage) == 100
        assert follower.position == path.stat().st_size


@pytest.mark.parametrize("bit", [0x01, 0x80])
def test_damage_costs_what_it_hit_once_something_whole_follows(path, whole, bit):
    with cassette.open(path.with_name("whole.tape")) as tape:
        offsets = [entry.offset for entry in tape.entries()]
    for place in range(offsets[3] + 6, offsets[4]):  # the checksum and the payload of the first piece
        spoilt = bytearray(whole)
        spoilt[place] ^= bit
        path.write_bytes(spoilt)
        with cassette.Follower(path) as follower:
            found = list(follower.poll())
            assert found == [record for record in RECORDS if record is not RECORDS[3]]
            assert [damage.offset for damage in follower.damage] == [offsets[3]]


def test_damage_that_nothing_follows_is_waited_for(path, whole):
    path.write_bytes(whole + b"not a frame")
    with cassette.Follower(path) as follower:
        assert list(follower.poll()) == list(RECORDS)
        assert follower.damage == []
        with path.open("ab") as file:
            file.write(frame(encode(CLOSE)))
        assert list(follower.poll()) == [CLOSE]
        assert len(follower.damage) == 1


def test_another_section_is_a_record_as_any(path, whole):
    path.write_bytes(whole)
    with cassette.Follower(path) as follower:
        list(follower.poll())
        with path.open("ab") as file:
            file.write(whole[11:])
        assert list(follower.poll()) == list(RECORDS)
        assert follower.generation == 1


@pytest.mark.parametrize("how", ["emptied", "written anew", "replaced", "removed first"])
def test_a_file_that_is_begun_again_is_followed_from_its_start(path, whole, how):
    path.write_bytes(whole)
    other = write(
        path.with_name("other.tape"),
        cassette.Section(**_fields(SECTION) | {"wall_ns": 1}),
        *RECORDS[1:],
        *CHUNKS,
    ).read_bytes()
    with cassette.Follower(path) as follower:
        list(follower.poll())
        match how:
            case "emptied":
                os.truncate(path, 0)
                assert list(follower.poll()) == []
                path.write_bytes(other)
            case "written anew":  # and longer by the next poll than what was read
                path.write_bytes(other)
            case "replaced":
                os.replace(path.with_name("other.tape"), path)
            case "removed first":
                path.unlink()
                assert list(follower.poll()) == []
                assert follower.size is None
                path.write_bytes(other)
        found = list(follower.poll())
        assert len(found) == len(RECORDS) + len(CHUNKS)
        assert follower.generation > 1


def test_the_rest_of_a_file_that_was_rotated_comes_before_the_new_one(path, whole):
    path.write_bytes(whole[:-5])
    with cassette.Follower(path) as follower:
        assert list(follower.poll()) == list(RECORDS[:-1])
        path.rename(path.with_name("a.1.tape"))
        with path.with_name("a.1.tape").open("ab") as file:
            file.write(whole[-5:])
        path.write_bytes(whole)
        assert list(follower.poll()) == [CLOSE]
        assert follower.generation == 1
        assert list(follower.poll()) == list(RECORDS)
        assert follower.generation == 2


def test_a_file_that_was_cut_behind_its_head_is_read_again(path, whole):
    path.write_bytes(whole)
    with cassette.Follower(path) as follower:
        list(follower.poll())
        os.truncate(path, len(whole) - 1)
        assert list(follower.poll()) == list(RECORDS[:-1])
        assert follower.generation == 2


@pytest.mark.parametrize("content", [b"not a cassette", b"\x28\xb5\x2f\xfd...."])
def test_what_is_no_growing_cassette_is_refused(path, content):
    path.write_bytes(content)
    with cassette.Follower(path) as follower, pytest.raises(cassette.NotACassette, match="begins with"):
        follower.poll()


def test_what_cannot_be_read_and_other_versions_are_refused(tmp_path, path, whole):
    with cassette.Follower(tmp_path) as follower, pytest.raises(cassette.Unreadable):
        follower.poll()
    path.write_bytes(whole[:11] + frame(b"\x92\x00\x09"))
    with cassette.Follower(path) as follower, pytest.raises(cassette.UnsupportedVersion):
        list(follower.poll())


def test_memory_does_not_grow_with_the_file(path, whole):
    piece = frame(encode(cassette.Chunk(exchange=0, t=1, data=bytes(100_000))))
    with path.open("wb") as file:
        file.write(whole[: -(6 + 10)])
        for _ in range(500):
            file.write(piece)
    with cassette.Follower(path) as follower:
        tracemalloc.start()
        count = sum(1 for _ in follower.poll())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert count > 490
    assert peak < 8 << 20


def _fields(record):
    return {name: getattr(record, name) for name in record.__struct_fields__}
