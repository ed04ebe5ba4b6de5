import os
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import exchange, tape
from tokentape.replay import _store, load
from tokentape.replay._packed import Packed
from tokentape.replay._store import Store

ANSWERS = st.lists(
    st.lists(st.tuples(st.integers(0, 10**12), st.binary(max_size=40)), min_size=1, max_size=5).map(tuple),
    max_size=8,
)


@given(ANSWERS, st.integers(0, 300))
def test_answers_come_back_as_they_were_wherever_they_are_kept(answers, max_held_bytes):
    with Store(max_held_bytes=max_held_bytes) as store:
        kept = [store.add(parts) for parts in answers]
    assert [tuple(parts) for parts in kept] == answers


def test_no_more_than_was_allowed_is_held_in_memory():
    with Store(max_held_bytes=250) as store:
        kept = [store.add(((0, b"x" * 100),)) for _ in range(5)]
    held = [parts.data for parts in kept if isinstance(parts, Packed) and isinstance(parts.data, bytes)]
    assert sum(map(len, held)) == 200


def test_a_part_that_is_due_in_centuries_is_kept_as_it_is():
    parts = ((0, b"head"), (2**63, b"later"))
    for max_held_bytes in (0, 100):
        with Store(max_held_bytes=max_held_bytes) as store:
            assert store.add(parts) == parts


def test_where_no_file_can_be_written_memory_must_do(monkeypatch):
    def full(**_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryFile", full)
    with Store(max_held_bytes=0) as store:
        kept = store.add(((0, b"a"), (1, b"b")))
    assert tuple(kept) == ((0, b"a"), (1, b"b"))


def test_a_disk_that_fills_up_costs_no_answer(monkeypatch):
    made = tempfile.TemporaryFile

    class Small:
        """A file on a disk with room for ten bytes."""

        def __init__(self, **words):
            self._file = made(**words)

        def __getattr__(self, name):
            return getattr(self._file, name)

        def __enter__(self):
            return self._file.__enter__()

        def __exit__(self, *reason):
            return self._file.__exit__(*reason)

        def write(self, data):
            room = 10 - self._file.tell()
            if room <= 0:
                raise OSError(28, "No space left on device")
            return self._file.write(data[:room])

    monkeypatch.setattr(tempfile, "TemporaryFile", Small)
    answers = [((0, b"6 here"),), ((1, b"7 do not"),), ((2, b"4 do"),), ((3, b"none"),)]
    with Store(max_held_bytes=0) as store:
        kept = [store.add(parts) for parts in answers]
    assert [tuple(parts) for parts in kept] == answers


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
def test_what_becomes_of_a_cassette_that_is_served_changes_no_answer(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(_store, "MAX_HELD_BYTES", 0)
    path = tape(tmp_path / "a.tape", exchange(0), exchange(1, body=b"2"))
    expected = [tuple(each.answer.parts) for each in load(path).recorded]
    found = load(path)
    match damage:
        case "gone":
            path.unlink()
        case "cut":
            os.truncate(path, 0)
        case "other":
            path.write_bytes(b"x" * path.stat().st_size)
    assert [tuple(each.answer.parts) for each in found.recorded] == expected


def test_nothing_is_left_where_temporary_files_are(tmp_path, monkeypatch):
    monkeypatch.setattr(_store, "MAX_HELD_BYTES", 0)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    found = load(tape(tmp_path / "a.tape", exchange()))
    assert not [*folder.iterdir()]
    assert len(found.recorded[0].answer.parts) == 4
