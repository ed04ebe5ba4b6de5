import os
import stat

import pandas as pd
import pytest

from tests.analysis.loading.test_parts import plain
from tests.analysis.tapes import DONE, MS, chunk, data, records, usage, write
from tests.analysis.test_load import damaged
from tokentape import cassette
from tokentape.analysis import load, to_parquet
from tokentape.analysis.loading._parquet import TABLES

PIECES = [
    (200 * MS, data(chunk({"content": "a"}))),
    (220 * MS, data(chunk({"content": "b"}, "stop", usage=usage(9, 2)))),
    (221 * MS, DONE),
]


def tapes(folder):
    """Two cassettes that fill every column, and one in which most is missing."""
    folder.mkdir()
    one = [records(PIECES, exchange=number, body=b'{"model":"m%d"}' % number) for number in range(5)]
    write(folder / "one.tape", *one)
    write(folder / "two.tape", records(PIECES[:1], end="client-closed", status=None), records([], exchange=1))
    write(folder / "three.tape")
    return folder


@pytest.mark.parametrize("max_part_bytes", [1, 10**9])
def test_tables_come_back_as_they_were_loaded_with_their_types(tmp_path, max_part_bytes):
    folder = tapes(tmp_path / "tapes")
    lost = to_parquet(folder, tmp_path / "out", max_part_bytes=max_part_bytes)
    assert lost == load(folder).lost
    assert ["its response is missing" in line for line in lost] == [True]
    whole = load(folder)
    for name in TABLES:
        found = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        expected = getattr(whole, name)
        assert found.dtypes.astype("str").to_dict() == expected.dtypes.astype("str").to_dict()
        pd.testing.assert_frame_equal(plain(found), plain(expected), check_index_type=False)


def test_a_table_without_rows_has_its_types(tmp_path):
    to_parquet(write(tmp_path / "a.tape"), tmp_path / "out")
    whole = load(tmp_path / "a.tape")
    for name in TABLES:
        found = pd.read_parquet(tmp_path / "out" / f"{name}.parquet")
        assert found.dtypes.astype("str").to_dict() == getattr(whole, name).dtypes.astype("str").to_dict()


def test_each_part_is_a_row_group(tmp_path):
    from pyarrow.parquet import ParquetFile

    to_parquet(tapes(tmp_path / "tapes"), tmp_path / "out", max_part_bytes=1)
    with ParquetFile(tmp_path / "out" / "events.parquet") as file:
        assert file.metadata.num_row_groups == 8  # seven exchanges and an empty cassette


def test_conditions_hold_and_losses_are_returned(tmp_path):
    folder = tapes(tmp_path / "tapes")
    damaged(folder / "one.tape", b'"content": "b"')
    lost = to_parquet(folder, tmp_path / "out", where="status=200", definitions="vllm", max_part_bytes=1)
    whole = load(folder, where="status=200", definitions="vllm")
    assert lost == whole.lost
    assert len(lost) == 2
    found = pd.read_parquet(tmp_path / "out" / "streams.parquet")
    pd.testing.assert_frame_equal(plain(found), plain(whole.streams))


@pytest.mark.parametrize("before", [True, False])
def test_what_fails_leaves_nothing_and_what_was_there_before(tmp_path, before):
    tape = write(tmp_path / "a.tape", records(PIECES))
    if before:
        to_parquet(tape, tmp_path / "out")
        kept = (tmp_path / "out" / "events.parquet").read_bytes()
    (tmp_path / "other").write_text("no cassette")
    with pytest.raises(cassette.NotACassette):
        to_parquet([tape, tmp_path / "other"], tmp_path / "out", overwrite=True)
    assert sorted(os.listdir(tmp_path)) == sorted(["a.tape", "other", *["out"] * before])
    if before:
        assert (tmp_path / "out" / "events.parquet").read_bytes() == kept


def test_what_exists_is_replaced_only_when_asked_to_and_only_tables_are(tmp_path):
    tape = write(tmp_path / "a.tape", records(PIECES))
    out = tmp_path / "out"
    to_parquet(tape, out)
    with pytest.raises(FileExistsError, match="exists"):
        to_parquet(tape, out)
    (out / "events.parquet").write_text("old")
    to_parquet(tape, out, overwrite=True)
    assert len(pd.read_parquet(out / "events.parquet")) == 3
    (out / "mine.txt").write_text("precious")
    with pytest.raises(FileExistsError, match="mine"):
        to_parquet(tape, out, overwrite=True)
    assert (out / "mine.txt").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["a.tape", "out"]


def test_folder_has_the_permissions_of_any_other(tmp_path):
    to_parquet(write(tmp_path / "a.tape", records(PIECES)), tmp_path / "out")
    (tmp_path / "any").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out", "any")]
    assert modes[0] == modes[1]
