"""What holds for all verbs that look at cassettes and mend them: files that cannot be read or written."""

import os
import resource
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cassette.tapes import raw
from tests.cli.verbs import BAD, TAPE, bad_file, corrupt, run, tape
from tests.e2e.processes import TOKENTAPE
from tests.nobody import as_nobody

READING = {
    "info": ["{}"],
    "verify": ["{}"],
    "recover": ["{}", "out.tape"],
    "merge": ["{}", "-o", "out.tape"],
    "split": ["{}", "--by", "host"],
}
WRITING = {
    "recover": ["{}", "{out}"],
    "merge": ["{}", "-o", "{out}"],
    "split": ["{}", "--by", "host", "-o", "{out}"],
}


def arguments(verb: str, path: Path | str, out: Path | str = "out.tape") -> list[str]:
    pattern = WRITING.get(verb) or READING[verb]
    return [verb, *(each.format(path, out=out) for each in pattern)]


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    """A folder that others may reach: pytest closes those that it makes, again whenever one starts."""
    with TemporaryDirectory() as made:
        path = Path(made).resolve()
        path.chmod(0o777)
        yield path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    work.chmod(0o777)
    monkeypatch.chdir(work)
    return work


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("verb", READING)
def test_a_file_that_cannot_be_used_is_one_line_and_exit_1(verb, kind, tmp_path, folder):
    path = bad_file(tmp_path, kind)
    with as_nobody() if kind == "locked" else nullcontext():
        result = run(*arguments(verb, path))
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {path}: ")
    assert BAD[kind] in line
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("data", "says"), [(b"", "empty file"), (b"hello", "expected a cassette")])
@pytest.mark.parametrize("verb", READING)
def test_a_pipe_that_cannot_be_used_is_one_line_and_exit_1(verb, data, says, folder):
    result = run(*arguments(verb, "-"), stdin=data)
    assert result.exit_code == 1
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)
    assert result.stderr.startswith("Error: -: ")
    assert says in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("verb", READING)
def test_a_standard_input_that_is_closed_is_one_line_and_exit_1(verb):
    command = f"exec {shlex.join([*TOKENTAPE, *arguments(verb, '-')])} <&-"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "standard input, which is closed" in line


@pytest.mark.parametrize("verb", READING)
def test_no_file_is_wrong_usage(verb):
    assert run(verb).exit_code == 2


@pytest.mark.parametrize("verb", ["info", "verify", "merge"])
def test_standard_input_twice_is_wrong_usage(verb):
    result = run(verb, "-", "-", *(["-o", "out.tape"] if verb == "merge" else []), stdin=raw(*TAPE))
    assert result.exit_code == 2
    assert "expected - once" in result.stderr


@pytest.mark.parametrize("verb", WRITING)
def test_what_exists_is_refused_left_alone_and_replaced_when_told(verb, tmp_path, folder):
    source = tape(tmp_path / "in.tape")
    out = folder if verb == "split" else folder / "out.tape"
    made = folder / "in.api.example.tape" if verb == "split" else folder / "out.tape"
    made.write_text("precious")
    result = run(*arguments(verb, source, out))
    assert result.exit_code == 1
    assert result.stderr == f"Error: {made} exists; choose another name, or add --overwrite\n"
    assert made.read_text() == "precious"
    assert list(folder.iterdir()) == [made]
    assert run(*arguments(verb, source, out), "--overwrite").exit_code == 0
    assert run("verify", made).exit_code == 0


@pytest.mark.parametrize("verb", ["recover", "merge"])
@pytest.mark.parametrize("how", ["same", "link", "overwrite"])
def test_the_input_is_never_the_output(verb, how, tmp_path):
    path = corrupt(tmp_path / "in.tape")
    before = path.read_bytes()
    out = path
    if how == "link":
        out = tmp_path / "link.tape"
        out.symlink_to(path)
    result = run(*arguments(verb, path, out), *(["--overwrite"] if how == "overwrite" else []))
    assert result.exit_code == 2
    assert "expected another file than" in result.stderr
    assert path.read_bytes() == before


def test_split_does_not_replace_its_input(tmp_path):
    path = tape(tmp_path / "in.api.example.tape")
    inner = tmp_path / "in.tape"
    inner.symlink_to(path)
    result = run("split", inner, "--by", "host", "-o", tmp_path, "--overwrite")
    assert result.exit_code == 2
    assert path.read_bytes() == raw(*TAPE)


@pytest.mark.parametrize("verb", WRITING)
def test_a_folder_that_is_not_there_is_named(verb, tmp_path):
    out = tmp_path / "none" / "deeper" / "out.tape"
    result = run(*arguments(verb, tape(tmp_path / "in.tape"), out))
    if verb == "split":  # makes it
        assert result.exit_code == 0
        assert len(list(out.iterdir())) == 2
    else:
        assert result.exit_code == 1
        assert result.stderr == f"Error: {out}: No such file or directory\n"


@pytest.mark.parametrize("verb", WRITING)
def test_a_folder_that_cannot_be_written_is_named(verb, tmp_path):
    shut = tmp_path / "shut"
    shut.mkdir(0o555)
    source = tape(tmp_path / "in.tape")
    with as_nobody():
        result = run(*arguments(verb, source, shut if verb == "split" else shut / "out.tape"))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"Error: {shut}")
    assert line.endswith("Permission denied")


@pytest.mark.parametrize("verb", ["recover", "merge"])
def test_an_output_that_is_no_file_is_refused(verb, tmp_path):
    source = tape(tmp_path / "in.tape")
    result = run(*arguments(verb, source, tmp_path))
    assert (result.exit_code, "found the folder" in result.stderr) == (1, True)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    result = run(*arguments(verb, source, pipe), "--overwrite")
    assert (result.exit_code, "expected a regular file" in result.stderr) == (1, True)
    assert pipe.is_fifo()


def test_split_into_a_file_is_refused(tmp_path):
    source = tape(tmp_path / "in.tape")
    result = run("split", source, "--by", "host", "-o", source)
    assert (result.exit_code, "expected a folder" in result.stderr) == (1, True)


@pytest.mark.parametrize("name", ["out.tape", "out.tape.zst"])
@pytest.mark.parametrize("verb", WRITING)
def test_a_full_disk_is_one_line_and_leaves_nothing(verb, name, tmp_path, folder):
    """A limit on the size of files is reached as a full disk is: in the middle of a write."""
    source = tape(tmp_path / name.replace("out", "in"))  # the parts of a split are compressed as it is named

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    done = subprocess.run(
        [*TOKENTAPE, *arguments(verb, source, "." if verb == "split" else name)],
        capture_output=True, text=True, check=False, timeout=60, preexec_fn=limit,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert "File too large" in line
    assert ("in." if verb == "split" else name) in line
    assert list(folder.iterdir()) == []
