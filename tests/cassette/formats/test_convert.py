"""From file to file: what is chosen by name, what is in its place, and what was lost on the way."""

import io
import os
import subprocess
import sys

import pytest

from tests.cassette.formats.test_har import archive, entry
from tests.cassette.tapes import RECORDS, SECTION, closed, entries, exchange, raw, write
from tokentape import cassette
from tokentape.cassette import Corrupt, NotACassette, Unreadable
from tokentape.cassette.formats import (
    ENDINGS,
    FORMATS,
    WRITTEN,
    NotTheFormat,
    NotWritten,
    WrongLine,
    convert,
    format_of,
)
from tokentape.cassette.formats import _jsonl as jsonl


@pytest.fixture
def tape(tmp_path):
    return write(tmp_path / "a.tape", *RECORDS)


def test_endings_name_formats():
    assert {format_of(f"a{ending}") for ending in ENDINGS} == set(FORMATS)
    assert format_of("A.HAR") == "har"
    assert format_of("a.tape.zst") == "tape"
    assert [format_of(name) for name in ("a", "-", "a.zst", "har", "a.har.gz")] == [None] * 5


@pytest.mark.parametrize("write_as", WRITTEN)
@pytest.mark.parametrize("ending", [".tape", ".tape.zst"])
def test_a_cassette_comes_back_byte_for_byte(tape, tmp_path, write_as, ending):
    there = tmp_path / f"there.{write_as}"
    done = convert(tape, there, read_as="tape", write_as=write_as)
    assert (done.exchanges, done.records, done.lost) == (1, len(RECORDS), [])
    back = tmp_path / f"back{ending}"
    assert convert(there, back, read_as=write_as, write_as="tape").lost == []
    plain = tmp_path / "plain.tape"
    convert(back, plain, read_as="tape", write_as="tape")
    assert plain.read_bytes() == tape.read_bytes()
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


@pytest.mark.parametrize("write_as", WRITTEN)
def test_an_existing_file_is_refused_unless_it_may_be_replaced(tape, tmp_path, write_as):
    there = tmp_path / "there"
    there.write_text("precious")
    with pytest.raises(FileExistsError):
        convert(tape, there, read_as="tape", write_as=write_as)
    assert there.read_text() == "precious"
    convert(tape, there, read_as="tape", write_as=write_as, overwrite=True)
    assert there.read_text("latin-1") != "precious"


@pytest.mark.parametrize("write_as", WRITTEN)
def test_damage_is_said_and_what_is_whole_is_converted(tape, tmp_path, write_as):
    data = bytearray(tape.read_bytes())
    data[data.index(b"[DONE]")] ^= 1
    tape.write_bytes(data)
    done = convert(tape, tmp_path / "there", read_as="tape", write_as=write_as)
    assert done.lost[0].startswith(f"{tape}: ")
    assert (done.exchanges, done.records, len(done.lost)) == (1, len(RECORDS) - 1, 1)


@pytest.mark.parametrize("write_as", WRITTEN)
def test_a_lost_section_is_replaced_so_that_the_rest_can_be_used(tape, tmp_path, write_as):
    data = bytearray(tape.read_bytes())
    data[data.index(b"recorder.example")] ^= 1
    tape.write_bytes(data)
    there, back = tmp_path / "there", tmp_path / "back"
    stand_in, damage = convert(tape, there, read_as="tape", write_as=write_as).lost
    assert "the section record before byte 102; a stand-in is in its place" in stand_in
    assert "damaged at byte 11" in damage
    assert convert(there, back, read_as=write_as, write_as="tape").lost == []
    with cassette.open(back) as found:
        (exchange,) = cassette.exchanges(found)
    assert exchange.section.wall_ns == 0
    assert exchange.request == RECORDS[1]


@pytest.mark.parametrize("write_as", WRITTEN)
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_exchanges_of_one_number_are_kept_apart_whichever_section_is_lost(tmp_path, write_as, lost):
    sections = [closed(SECTION, *exchange(0, host=f"h{index}.example")) for index in range(3)]
    del sections[lost][0]
    tape, there, back = tmp_path / "tape", tmp_path / "there", tmp_path / "back"
    tape.write_bytes(raw(*(record for section in sections for record in section)))
    convert(tape, there, read_as="tape", write_as=write_as)
    convert(there, back, read_as=write_as, write_as="tape")
    with cassette.open(back) as found:
        hosts = [(each.section_index, each.number, each.request.host) for each in cassette.exchanges(found)]
    assert hosts == [(index, 0, f"h{index}.example") for index in range(3)]


def test_json_lines_without_a_section_make_an_archive(tmp_path):
    lines, there = tmp_path / "a.jsonl", tmp_path / "there"
    records = [*closed(SECTION, *exchange(0)), *closed(*exchange(0)), *closed(SECTION, *exchange(0))]
    with lines.open("wb") as file:
        jsonl.write(file, entries(*records), [])
    assert convert(lines, there, read_as="jsonl", write_as="har").exchanges == 3
    assert convert(there, tmp_path / "back", read_as="har", write_as="tape").exchanges == 3


def test_every_cut_of_a_cassette_converts(tape, tmp_path):
    data = tape.read_bytes()
    with cassette.open(tape) as found:
        whole = {entry.offset for entry in found.entries()}
    for cut in range(12, len(data), 13):
        tape.write_bytes(data[:cut])
        for write_as in ("jsonl", "har"):
            done = convert(tape, tmp_path / "there", read_as="tape", write_as=write_as, overwrite=True)
            assert bool(done.lost) == (cut not in whole)


@pytest.mark.parametrize("read_as", FORMATS)
@pytest.mark.parametrize("content", [b"hello, world", b"\0\1\2", None])
def test_a_wrong_source_is_an_error_and_leaves_nothing(tmp_path, read_as, content):
    source = tmp_path / "source"
    if content is not None:
        source.write_bytes(content)
    with pytest.raises((NotTheFormat, NotACassette, Unreadable)) as found:
        convert(source, tmp_path / "there", read_as=read_as, write_as="tape")
    assert str(source) in str(found.value)
    assert "\n" not in str(found.value)
    assert not (tmp_path / "there").exists()


def test_a_wrong_line_leaves_nothing(tape, tmp_path):
    lines = tmp_path / "a.jsonl"
    convert(tape, lines, read_as="tape", write_as="jsonl")
    lines.write_text(lines.read_text().replace('"t": 400000000', '"t": "soon"'))
    with pytest.raises(WrongLine, match="line 5: t: expected int, found text of 4 characters"):
        convert(lines, tmp_path / "b.tape", read_as="jsonl", write_as="tape")
    assert sorted(os.listdir(tmp_path)) == ["a.jsonl", "a.tape"]


def test_a_line_edited_by_hand_is_in_the_cassette(tape, tmp_path):
    lines, back = tmp_path / "a.jsonl", tmp_path / "b.tape"
    convert(tape, lines, read_as="tape", write_as="jsonl")
    lines.write_text(lines.read_text().replace("[DONE]", "[完]"))
    convert(lines, back, read_as="jsonl", write_as="tape")
    with cassette.open(back) as found:
        (exchange,) = cassette.exchanges(found)
    assert exchange.chunks[1].data == "data: [完]\n\n".encode()


def test_what_is_read_only_is_not_written(tape, tmp_path):
    with pytest.raises(NotWritten, match="vcr is read and not written; expected one of tape, jsonl"):
        convert(tape, tmp_path / "a.yaml", read_as="tape", write_as="vcr")


def test_a_file_of_another_format_can_become_any(tmp_path):
    source = tmp_path / "a.har"
    source.write_bytes(archive(entry()))
    for write_as in WRITTEN:
        there, back = tmp_path / f"a.{write_as}2", tmp_path / f"{write_as}.tape"
        convert(source, there, read_as="har", write_as=write_as)
        assert convert(there, back, read_as=write_as, write_as="tape").lost == []
    files = [(tmp_path / f"{write_as}.tape").read_bytes() for write_as in WRITTEN]
    assert len(set(files)) == 1


def test_pipes_are_read_and_written(tape, tmp_path, monkeypatch):
    out = io.TextIOWrapper(io.BytesIO())
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", out)
        convert(tape, "-", read_as="tape", write_as="jsonl")
    lines = out.buffer.getvalue()
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(lines)))
        convert("-", tmp_path / "b.tape", read_as="jsonl", write_as="tape")
    assert (tmp_path / "b.tape").read_bytes() == tape.read_bytes()


@pytest.mark.parametrize(("write_as", "loads"), [("jsonl", set()), ("har", set()), ("flow", {"mitmproxy"})])
def test_a_format_loads_what_it_needs_and_nothing_of_another(tape, tmp_path, write_as, loads):
    program = (
        "import sys\nfrom tokentape.cassette.formats import convert\n"
        f"convert({str(tape)!r}, {str(tmp_path / 'b')!r}, read_as='tape', write_as={write_as!r})\n"
        "print(*[name for name in ('mitmproxy', 'yaml', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) - {"yaml"} == loads  # mitmproxy may load a YAML of its own


def test_a_strict_reader_finds_the_damage_that_convert_passes_over(tape):
    data = bytearray(tape.read_bytes())
    data[data.index(b"[DONE]")] ^= 1
    tape.write_bytes(data)
    with pytest.raises(Corrupt), cassette.open(tape) as found:
        list(found)
