"""What a user names becomes files; what is no path is refused by its own name."""

from pathlib import Path

import pytest

from tokentape.cassette import Unreadable, cassettes_at


def test_a_folder_is_its_cassettes_and_each_file_is_there_once(tmp_path):
    for name in ("b.tape", "a.tape.zst", "c.txt"):
        (tmp_path / name).touch()
    found = [str(tmp_path / "a.tape.zst"), str(tmp_path / "b.tape")]
    assert cassettes_at(tmp_path) == cassettes_at([tmp_path, f"{tmp_path}/*.tape"]) == found
    assert cassettes_at(tmp_path / "none.tape") == [str(tmp_path / "none.tape")]


def test_a_folder_and_a_pattern_without_cassettes_are_errors(tmp_path):
    for path in (tmp_path, f"{tmp_path}/*.tape"):
        with pytest.raises(Unreadable, match="found none"):
            cassettes_at(path)


@pytest.mark.parametrize("paths", [5, None, [5], [Path("a.tape"), None], b"a.tape"])
def test_what_is_no_path_is_said(paths):
    with pytest.raises(
        TypeError, match=r"expected a path, as text or os\.PathLike, or several; found (5|None|b')"
    ):
        cassettes_at(paths)
