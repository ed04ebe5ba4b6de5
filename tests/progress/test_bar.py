"""A bar over files goes through their bytes, as the files have them."""

from contextlib import contextmanager

import pytest
import zstandard

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run
from tokentape.analysis import load
from tokentape.progress import _bar, reading_bar


@pytest.fixture
def told(monkeypatch):
    """What a bar that is seen is told: how many are done, and of how many."""
    calls = []

    @contextmanager
    def bar(_what, *, shown, of):
        assert (shown, of) == (True, "bytes")
        yield lambda done, total: calls.append((done, total))

    monkeypatch.setattr(_bar, "bar", bar)
    monkeypatch.setattr(_bar, "is_seen", lambda *, shown: shown)
    return calls


@pytest.fixture
def tapes(tmp_path):
    pieces = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (201 * MS, DONE)]
    long = [records(pieces, exchange=number) for number in range(6000)]
    paths = [write(tmp_path / "a.tape", *long), write(tmp_path / "b.tape", records(pieces))]
    (tmp_path / "c.tape.zst").write_bytes(zstandard.compress(paths[0].read_bytes()))
    return [*paths, tmp_path / "c.tape.zst"]


def test_a_load_tells_the_bytes_of_all_its_files(told, tapes):
    load(tapes)
    sizes = [path.stat().st_size for path in tapes]
    done, totals = zip(*told, strict=True)
    assert set(totals) == {sum(sizes)}
    assert list(done) == sorted(done)
    assert len(told) == 6000 + 1 + 6000
    assert 0 < done[0] < sizes[0] / 2  # within a file, too
    assert done[5999] == sizes[0]
    assert sum(sizes[:2]) < done[6001] < done[-1] == sum(sizes)


@pytest.mark.parametrize("options", [[], ["--json", "--all"], ["--where", "status=200"]])
def test_lint_has_one_bar_over_all_its_files(told, tapes, options):
    assert run("lint", *tapes, *options).exit_code in (0, 1)
    sizes = [path.stat().st_size for path in tapes]
    done, totals = zip(*told, strict=True)
    assert set(totals) == {sum(sizes)}
    assert list(done) == sorted(done)
    assert done[-1] == sum(sizes)


def test_what_lint_prints_as_it_is_found_has_no_bar(told, tapes):
    run("lint", *tapes, "--all")
    assert told == []


def test_nothing_is_told_where_nobody_looks(told, tapes):
    load(tapes, progress=False)
    assert told == []


def test_of_standard_input_and_of_a_file_that_is_gone_the_size_is_not_known(told, tmp_path):
    for files, total in ((["-"], None), ([str(tmp_path / "none")], 0)):
        with reading_bar(files, shown=True) as follow:
            assert list(follow("ab", lambda: 7)) == ["a", "b"]
        assert told[-2:] == [(7, total)] * 2
