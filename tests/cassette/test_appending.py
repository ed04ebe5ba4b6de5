"""Recording goes on in a file that is there: whole, cut anywhere, or something else."""

import msgspec
import pytest
import zstandard

from tests.cassette.tapes import CHUNKS, CLOSE, END, RECORDS, REQUEST, RESPONSE, SECTION, raw, write
from tokentape import cassette

SECOND = msgspec.structs.replace(SECTION, wall_ns=SECTION.wall_ns + 10**12, labels={"run": "b"})
APPENDED = (SECOND, REQUEST, RESPONSE, *CHUNKS, END, CLOSE)


def append(path, *records):
    section, *others = records
    with cassette.Writer(path, section, append=True) as writer:
        for record in others:
            writer.write(record)


def read(path):
    with cassette.open(path, lenient=True) as tape:
        return list(tape), tape.damage


def test_a_section_follows_what_was_there_and_changes_none_of_it(tmp_path):
    path = write(tmp_path / "a.tape", *RECORDS)
    before = path.read_bytes()
    append(path, *APPENDED)
    assert path.read_bytes().startswith(before)
    assert read(path) == ([*RECORDS, *APPENDED], [])


@pytest.mark.parametrize("exists", [True, False], ids=["empty", "missing"])
def test_a_file_that_is_empty_or_missing_is_begun(tmp_path, exists):
    path = tmp_path / "a.tape"
    if exists:
        path.touch()
    append(path, *APPENDED)
    assert read(path) == (list(APPENDED), [])


def test_behind_a_file_that_was_cut_anywhere_all_that_is_appended_is_found(tmp_path):
    path = write(tmp_path / "a.tape", *RECORDS)
    whole = path.read_bytes()
    with cassette.open(path) as tape:
        ends = [entry.offset for entry in tape.entries()] + [len(whole)]
    for cut in range(11, len(whole)):
        path.write_bytes(whole[:cut])
        append(path, *APPENDED)
        assert path.read_bytes().startswith(whole[:cut])
        # what is cut off may be zeros: then filling up makes the record whole again
        whole_to = next((end for end in ends if end >= cut and not whole[cut:end].strip(b"\0")), cut)
        records, damage = read(path)
        assert records == [*RECORDS[: sum(0 < end <= whole_to for end in ends[1:])], *APPENDED], cut
        assert len(damage) == (whole_to not in ends), cut
        assert not any(found.torn for found in damage)


def test_a_cut_record_that_would_end_with_an_appended_one_swallows_nothing(tmp_path):
    """Without filling it up, a reader would go on behind it by its own length, past the new section."""
    path = write(tmp_path / "b.tape", *APPENDED)
    with cassette.open(path) as tape:
        offsets = [entry.offset - 11 for entry in tape.entries()]
    for reach in offsets[1:]:
        path = tmp_path / "a.tape"
        path.unlink(missing_ok=True)
        write(path, SECTION)
        size = path.stat().st_size
        with cassette.Writer(tmp_path / "c.tape", SECTION, overwrite=True) as writer:
            writer.write(cassette.Chunk(exchange=0, t=0, data=b"x" * (reach + 50)))
        torn = (tmp_path / "c.tape").read_bytes()[size:-reach]
        path.write_bytes(path.read_bytes() + torn)
        append(path, *APPENDED)
        records, damage = read(path)
        assert records == [SECTION, *APPENDED]
        assert [found.offset for found in damage] == [size]


@pytest.mark.parametrize("header", [b"\xc9\xff\xff\xff\xff\x54", b"\x00\x01\x00\x00\x00\x54", b"\xc9" * 10])
def test_a_cut_header_that_claims_what_no_frame_may_is_not_filled_up(tmp_path, header):
    path = write(tmp_path / "a.tape", SECTION)
    before = path.stat().st_size
    path.write_bytes(path.read_bytes() + header)
    append(path, *APPENDED)
    assert path.stat().st_size < before + 10_000
    assert read(path)[0] == [SECTION, *APPENDED]


@pytest.mark.parametrize(
    ("content", "error", "said"),
    [
        (b"precious", cassette.NotACassette, "expected a cassette"),
        (b"\xaatoken", cassette.NotAppendable, "cut off inside its first 11 bytes"),
        (zstandard.compress(b"\xaatokentape\n"), cassette.NotAppendable, "not compressed"),
    ],
)
def test_what_cannot_be_appended_to_is_said_and_left_alone(tmp_path, content, error, said):
    path = tmp_path / "a.tape"
    path.write_bytes(content)
    with pytest.raises(error, match=said):
        append(path, *APPENDED)
    assert path.read_bytes() == content


@pytest.mark.parametrize("before", [(), (SECTION,)], ids=["first", "later"])
def test_a_newer_version_is_refused_and_left_alone(tmp_path, before):
    path = tmp_path / "a.tape"
    path.write_bytes(raw(*before, msgspec.structs.replace(SECTION, version=2)))
    content = path.read_bytes()
    with pytest.raises(cassette.UnsupportedVersion, match="please upgrade"):
        append(path, *APPENDED)
    assert path.read_bytes() == content
