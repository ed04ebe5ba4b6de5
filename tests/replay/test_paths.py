import os

import pytest

from tests.replay.recordings import exchange, tape
from tokentape.replay import NothingToServe, load
from tokentape.replay._paths import distinct, expanded


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for name in ("b.tape", "a.tape", "other", "deep/er/c.tape", "x[1].tape"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "folder.tape").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["b.tape", "a.tape", "b.tape"], ["b.tape", "a.tape", "b.tape"]),
        (["[ab].tape"], ["a.tape", "b.tape"]),
        (["?.tape", "b.tape"], ["a.tape", "b.tape", "b.tape"]),
        (["b.tape", "?.tape"], ["b.tape", "a.tape"]),
        (["**/c.tape"], ["deep/er/c.tape"]),
        (["x[1].tape"], ["x[1].tape"]),
        (["missing", "-"], ["missing", "-"]),
        (["f*.tape", "a*"], None),
    ],
)
def test_patterns_become_files_in_order_and_names_stay(folder, names, found):
    if found is None:
        with pytest.raises(NothingToServe, match=r"^f\*\.tape: expected cassettes, found no file") as raised:
            expanded(names)
        assert "\n" not in str(raised.value)
    else:
        assert [name.replace(os.sep, "/") for name in expanded(names)] == found


def test_load_takes_patterns(tmp_path):
    for name in ("b", "a"):
        tape(tmp_path / f"{name}.tape", exchange(body=name.encode()))
    assert [item.key.body for item in load(f"{tmp_path}/*.tape").recorded] == [b"a", b"b"]


def test_a_file_that_is_named_again_in_any_way_is_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tape").touch()
    (tmp_path / "b.tape").touch()
    (tmp_path / "link.tape").symlink_to("a.tape")
    names = ["a.tape", "./a.tape", "b.tape", "link.tape", str(tmp_path / "b.tape"), "none.tape", "-"]
    assert distinct(names) == (
        ["a.tape", "b.tape", "none.tape", "-"],
        ["./a.tape", "link.tape", str(tmp_path / "b.tape")],
    )
