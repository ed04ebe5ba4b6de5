import io
import os
import stat
from pathlib import Path

import msgspec
import pytest

from tests.cassette.tapes import CHUNKS, RECORDS, SECTION
from tokentape import cassette
from tokentape.cassette._framing import MAGIC, frame
from tokentape.cassette._records import encode


def records(path: Path) -> list[cassette.Record]:
    with cassette.open(path) as tape:
        return list(tape)


def rewrite(path: Path, **options: bool) -> Path:
    with cassette.Rewriter(path, **options) as out:
        for record in RECORDS:
            assert not isinstance(record, cassette.Unknown)
            out.write(record)
    return path


@pytest.mark.parametrize("name", ["a.tape", "a.tape.zst"])
def test_what_is_written_comes_back(name, tmp_path):
    path = rewrite(tmp_path / name)
    assert tuple(records(path)) == RECORDS
    assert path.read_bytes().startswith(MAGIC if name == "a.tape" else b"\x28\xb5\x2f\xfd")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == [name]


def test_an_existing_file_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        rewrite(path)
    assert path.read_text() == "precious"
    rewrite(path, overwrite=True)
    assert tuple(records(path)) == RECORDS


def test_a_file_that_comes_meanwhile_is_refused_too(tmp_path):
    path = tmp_path / "a.tape"
    with pytest.raises(FileExistsError), cassette.Rewriter(path) as out:
        out.write(SECTION)
        path.write_text("precious")
    assert path.read_text() == "precious"
    assert os.listdir(tmp_path) == ["a.tape"]


def test_a_file_system_without_links_does_too(tmp_path, monkeypatch):
    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_link)
    path = rewrite(tmp_path / "a.tape")
    assert tuple(records(path)) == RECORDS
    with pytest.raises(FileExistsError), cassette.Rewriter(tmp_path / "b.tape") as out:
        (tmp_path / "b.tape").write_text("precious")
        out.write(SECTION)


def test_an_error_leaves_no_half_a_cassette_and_the_old_one(tmp_path):
    path = tmp_path / "a.tape"
    path.write_text("old")
    with pytest.raises(RuntimeError), cassette.Rewriter(path, overwrite=True) as out:
        out.write(SECTION)
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.tape"]


def test_a_folder_that_is_not_there_is_named_by_the_path(tmp_path):
    with pytest.raises(FileNotFoundError) as found:
        cassette.Rewriter(tmp_path / "none" / "a.tape")
    assert found.value.filename == str(tmp_path / "none" / "a.tape")


def test_a_pipe_gets_it_too(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        with cassette.Rewriter("-") as out:
            out.write(SECTION)
    assert stream.buffer.getvalue() == MAGIC + frame(encode(SECTION))


def test_a_record_that_readers_would_refuse_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr("tokentape.cassette._rewriter.MAX_RECORD_BYTES", 10)
    with pytest.raises(cassette.RecordTooLarge), cassette.Rewriter(tmp_path / "a.tape") as out:
        out.write(SECTION)
    assert os.listdir(tmp_path) == []


def test_what_this_version_does_not_know_is_copied_and_survives_a_change():
    more = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode(CHUNKS[0])), {"new": 1}, None])
    private = msgspec.msgpack.encode([130, "mine"])
    reader = cassette.Reader(io.BytesIO(MAGIC + frame(encode(SECTION)) + frame(more) + frame(private)))
    entries = list(reader.entries())
    assert [entry.payload for entry in entries] == [encode(SECTION), more, private]
    assert [entry.offset for entry in entries] == [
        11,
        11 + len(frame(encode(SECTION))),
        11 + len(frame(encode(SECTION)) + frame(more)),
    ]
    changed = msgspec.structs.replace(CHUNKS[0], data=b"other")
    fields = msgspec.msgpack.decode(cassette.encode_like(more, changed))
    assert fields == [3, 0, CHUNKS[0].t, b"other", {"new": 1}, None]
    assert cassette.encode_like(encode(CHUNKS[0]), changed) == encode(changed)
