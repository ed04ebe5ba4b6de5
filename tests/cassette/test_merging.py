import io
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.cassette.tapes import NOTE, RECORDS, SECTION, closed, exchange, raw
from tokentape import cassette
from tokentape.cassette import STAND_IN, Merge, Record


def recording(wall_ns: int, *more: Record) -> list[Record]:
    """A section that began then, told apart by its exchange's pieces."""
    return closed(replace(SECTION, wall_ns=wall_ns), *exchange(0, wall_ns % 7), *more)


def tape(folder: Path, name: str, *records: Record) -> str:
    path = folder / name
    path.write_bytes(raw(*records))
    return str(path)


def merged(*paths: str) -> tuple[list[Record], Merge]:
    merge = Merge(paths)
    return [entry.record for entry in merge], merge


def test_sections_come_in_the_order_in_which_they_began_and_as_they_are(tmp_path):
    one, two, three = recording(1, NOTE), recording(2), recording(3)
    paths = [tape(tmp_path, "b", *two), tape(tmp_path, "ac", *one, *three)]
    records, merge = merged(*paths)
    assert records == [*one, *two, *three]
    assert merge.damage == []
    assert merged(*reversed(paths))[0] == records


def test_sections_of_one_file_keep_their_order(tmp_path):
    late, early, between = recording(9), recording(1), recording(5)
    records, _ = merged(tape(tmp_path, "a", *late, *early), tape(tmp_path, "b", *between))
    assert records == [*between, *late, *early]


def test_sections_of_one_start_come_in_the_order_of_the_files(tmp_path):
    one, two = recording(4), recording(4, NOTE)
    paths = [tape(tmp_path, "a", *one), tape(tmp_path, "b", *two)]
    assert merged(*paths)[0] == [*one, *two]
    assert merged(*reversed(paths))[0] == [*two, *one]


def test_records_that_lost_their_section_do_not_fall_into_another_ones(tmp_path):
    whole, headless = recording(1), recording(2)[1:]
    paths = [tape(tmp_path, "a", *whole), tape(tmp_path, "b", *headless)]
    records, merge = merged(*paths)
    assert records == [STAND_IN, *headless, *whole]
    ((path, damage),) = merge.damage
    assert path == paths[1]
    assert "section" in damage.reason


def test_what_is_damaged_is_left_out_and_said(tmp_path):
    path = Path(tape(tmp_path, "a", *RECORDS))
    path.write_bytes(path.read_bytes()[:-3])
    records, merge = merged(str(path), tape(tmp_path, "b", *recording(1)))
    assert records == [*recording(1), *RECORDS[:-1]]
    assert [(path, damage.torn) for path, damage in merge.damage] == [(str(path), True)]


def test_standard_input_is_merged_too(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(raw(*recording(5)))))
        records, _ = merged(tape(tmp_path, "b", *recording(9)), "-", tape(tmp_path, "a", *recording(1)))
    assert records == [*recording(1), *recording(5), *recording(9)]


def test_no_more_files_are_open_than_overlap(tmp_path, monkeypatch):
    paths = [tape(tmp_path, str(n), *recording(n + 1)) for n in range(50)]
    is_open: set[cassette.Reader] = set()
    most = 0
    close = cassette.Reader.close

    def count(path: str, **options: bool) -> cassette.Reader:
        nonlocal most
        reader = cassette.open(path, **options)
        is_open.add(reader)
        most = max(most, len(is_open))
        return reader

    def uncount(reader: cassette.Reader) -> None:
        is_open.discard(reader)
        close(reader)

    monkeypatch.setattr("tokentape.cassette._merging.open", count)
    monkeypatch.setattr(cassette.Reader, "close", uncount)
    records, _ = merged(*paths)
    assert len([record for record in records if isinstance(record, cassette.Section)]) == 50
    assert most == 1
    assert not is_open


def test_a_file_that_is_none_stops_it_before_anything_is_yielded(tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(cassette.NotACassette):
        Merge([tape(tmp_path, "a", *RECORDS), str(tmp_path / "text")])


def test_sections_before_one_of_a_newer_version_are_merged_and_it_is_said(tmp_path):
    newer = replace(SECTION, version=2)
    path = tape(tmp_path, "a", *recording(1), newer, *exchange(1))
    records, merge = merged(path, tape(tmp_path, "b", *recording(9)))
    assert records == [*recording(1), *recording(9)]
    ((where, damage),) = merge.damage
    assert where == path
    assert "format version 2" in damage.reason


def test_a_file_that_becomes_none_later_is_closed_too(tmp_path):
    merge = Merge([tape(tmp_path, "a", *RECORDS), tape(tmp_path, "b", *recording(9))])
    tape(tmp_path, "a", replace(SECTION, version=2))
    with pytest.raises(cassette.UnsupportedVersion):
        list(merge)
