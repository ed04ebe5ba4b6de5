import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cassette.tapes import SECTION, closed, exchange, raw
from tests.cli.verbs import TAPE, corrupt, records, run, tape
from tokentape import cassette
from tokentape.cli._part_names import part_files


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("exchange", ["a.0-0000.tape", "a.0-0001.tape"]),
        ("host", ["a.api.example.tape", "a.other.example.tape"]),
        ("model", ["a.gpt-4o.tape", "a._.tape"]),
    ],
)
def test_each_part_is_a_whole_cassette_with_its_exchanges(by, names, tmp_path):
    result = run("split", tape(tmp_path / "a.tape"), "--by", by, "-o", tmp_path / "parts", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    found = json.loads(result.stdout)
    assert [Path(part["file"]).name for part in found] == names
    assert [(part["exchanges"], part["pieces"], part["body_bytes"]) for part in found] == [
        (1, 2, 22),
        (1, 3, 33),
    ]
    paths = [tmp_path / "parts" / name for name in names]
    assert run("verify", *paths).exit_code == 0
    assert records(paths[0]) == closed(*TAPE[:7])
    assert records(paths[1]) == closed(SECTION, *TAPE[6:-1])
    assert run("merge", *paths, "-o", tmp_path / "again.tape").exit_code == 0


def test_the_table_names_the_files(tmp_path):
    result = run("split", tape(tmp_path / "a.tape"), "--by", "model", "-o", tmp_path)
    assert result.exit_code == 0
    _, head, _, one, *_ = result.stdout.splitlines()
    assert head.split() == ["file", "exchanges", "pieces", "body", "bytes"]
    assert one.split() == [str(tmp_path / "a.gpt-4o.tape"), "1", "2", "22"]


def test_the_parts_of_a_compressed_one_are_compressed(tmp_path, monkeypatch):
    assert run("recover", tape(tmp_path / "a.tape"), tmp_path / "b.tape.zst").exit_code == 0
    monkeypatch.chdir(tmp_path)
    assert run("split", "b.tape.zst", "--by", "host").exit_code == 0
    assert (tmp_path / "b.api.example.tape.zst").read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert records(tmp_path / "b.api.example.tape.zst") == closed(*TAPE[:7])


def test_standard_input_is_read_twice(tmp_path):
    result = run("split", "-", "--by", "host", "-o", tmp_path, stdin=raw(*TAPE))
    assert result.exit_code == 0
    assert sorted(os.listdir(tmp_path)) == ["cassette.api.example.tape", "cassette.other.example.tape"]


def test_damage_is_left_out_said_and_exit_3(tmp_path):
    path = corrupt(tmp_path / "a.tape")
    result = run("split", path, "--by", "host", "-o", tmp_path / "parts")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"lost: {path}: ")
    first = tmp_path / "parts" / "a.api.example.tape"
    assert records(first)[:-1] == [*TAPE[:3], *TAPE[4:7]]
    assert "1 and 11 are there" in run("verify", first).stdout


def test_a_cassette_without_exchanges_is_exit_1(tmp_path):
    result = run("split", tape(tmp_path / "a.tape", SECTION), "--by", "host", "-o", tmp_path / "parts")
    assert result.exit_code == 1
    assert "expected at least one exchange" in result.stderr
    assert not (tmp_path / "parts").exists()


@pytest.mark.parametrize("arguments", [[], ["--by", "colour"]])
def test_by_what_is_asked_for(arguments, tmp_path):
    result = run("split", tape(tmp_path / "a.tape"), *arguments)
    assert result.exit_code == 2
    assert "model" in result.stderr


def test_more_parts_than_may_be_open_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr("tokentape.cli._parts._AT_A_TIME", 3)
    is_open = 0
    most = 0

    class Counting(cassette.Rewriter):
        def __enter__(self):
            nonlocal is_open, most
            is_open += 1
            most = max(most, is_open)
            return super().__enter__()

        def __exit__(self, *error):
            nonlocal is_open
            is_open -= 1
            super().__exit__(*error)

    monkeypatch.setattr("tokentape.cli._parts.Rewriter", Counting)
    exchanges = [record for n in range(10) for record in exchange(n)]
    path = tape(tmp_path / "a.tape", *closed(SECTION, *exchanges))
    assert run("split", path, "--by", "exchange", "-o", tmp_path / "parts").exit_code == 0
    assert len(os.listdir(tmp_path / "parts")) == 10
    assert most == 3
    for number in range(10):
        made = tmp_path / "parts" / f"a.0-{number:04d}.tape"
        assert records(made) == closed(SECTION, *exchange(number))


def test_an_error_takes_back_the_parts_before_it(tmp_path, monkeypatch):
    monkeypatch.setattr("tokentape.cli._parts._AT_A_TIME", 1)
    folder = tmp_path / "parts"
    folder.mkdir()

    class Failing(cassette.Rewriter):
        def copy(self, payload):
            if "other" in self.path:
                raise OSError(28, "No space left on device", self.path)
            super().copy(payload)

    monkeypatch.setattr("tokentape.cli._parts.Rewriter", Failing)
    result = run("split", tape(tmp_path / "a.tape"), "--by", "host", "-o", folder)
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert os.listdir(folder) == []


@given(st.lists(st.text(max_size=200)))
def test_any_names_make_different_names_of_files(names):
    files = part_files("some/where/a.tape", names)
    assert len({file.casefold() for file in files}) == len(names)
    for file in files:
        assert file.isascii()
        assert file.isprintable()
        assert len(file) < 120
        assert not set(file) & set('/\\:*?"<>| ')
        assert file.startswith("a.")
        assert file.endswith(".tape")


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["a", "A", "a~2"], ["s.a.tape", "s.A~2.tape", "s.a_2.tape"]),
        (["../../etc/passwd", ".."], ["s._.._etc_passwd.tape", "s._.tape"]),
        (["", " ", "x" * 300], ["s._.tape", "s._~2.tape", f"s.{'x' * 80}.tape"]),
    ],
)
def test_names_are_made_safe(names, files):
    assert part_files("s.tape", names) == files


@pytest.mark.parametrize(
    ("source", "file"),
    [
        ("a.tape.zst", "a.p.tape.zst"),
        ("noending", "noending.p.tape"),
        (".tape", ".tape.p.tape"),
        ("-", "cassette.p.tape"),
        ("x.y.tape", "x.y.p.tape"),
    ],
)
def test_the_name_of_the_source_goes_around_the_parts(source, file):
    assert part_files(source, ["p"]) == [file]
