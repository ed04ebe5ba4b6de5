"""Standard streams that are closed, as `>&-` and some starters of services close them."""

import os
import subprocess
import sys

import pytest

from tests.cli.verbs import run, tape
from tests.e2e.processes import TOKENTAPE

PRINTING = [
    "info a.tape",
    "info a.tape --json",
    "verify a.tape",
    "cat a.tape",
    "cat a.tape --format sse",
    "diff a.tape a.tape",
    "watch a.tape --once",
    "watch a.tape --once --json",
    "convert a.tape - --to jsonl",
    "convert a.tape - --to tape",
    "redact a.tape -",
    "recover a.tape -",
    "merge a.tape -o -",
    "analyze a.tape",
    "analyze a.tape --json",
    "info --help",
]
READING = [
    "info -",
    "cat -",
    "redact - o.tape",
    "redact - -",
    "recover - o.tape",
    "convert - o.jsonl --from tape",
    "convert - o.tape --from jsonl",
    "convert - o.tape --from har",
    "convert - o.tape --from flow",
    "convert - o.tape --from vcr",
]


def run_without(number, arguments, folder, **streams):
    return subprocess.run(
        [*TOKENTAPE, *arguments.split()], text=True, check=False, timeout=60, cwd=folder,
        preexec_fn=lambda: os.close(number), **streams,
    )  # fmt: skip


@pytest.mark.parametrize("arguments", PRINTING)
def test_what_cannot_be_printed_is_one_line(arguments, tmp_path):
    tape(tmp_path / "a.tape")
    done = run_without(1, arguments, tmp_path, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (
        1,
        "Error: -: expected standard output to be open, found it closed\n",
    )
    assert os.listdir(tmp_path) == ["a.tape"]


def test_what_is_not_printed_is_done(tmp_path):
    tape(tmp_path / "a.tape")
    done = run_without(1, "convert a.tape b.jsonl", tmp_path, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, "b.jsonl: 2 exchanges\n")


@pytest.mark.parametrize("arguments", READING)
def test_a_closed_input_is_one_line(arguments, tmp_path):
    done = run_without(0, arguments, tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "standard input, which is closed" in line
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_file_that_is_opened_gets_the_number_of_a_closed_stream(number, tmp_path):
    program = (
        "from tokentape.cli._streams import guard; guard()\n"
        "import os; file = open('number', 'w'); file.write(str(file.fileno()))"
    )
    subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, cwd=tmp_path,
        preexec_fn=lambda: os.close(number),
    )  # fmt: skip
    assert int((tmp_path / "number").read_text()) > 2


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no device that is full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("arguments", ["info a.tape", "cat a.tape --format sse", "recover a.tape -"])
def test_an_output_that_is_full_is_said_by_its_name(arguments, unbuffered, tmp_path):
    tape(tmp_path / "a.tape")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*TOKENTAPE, *arguments.split()], text=True, check=False, timeout=60, cwd=tmp_path,
            stdout=full, stderr=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr in (
        "Error: standard output: No space left on device\n",
        "Error: -: No space left on device\n",
    )


def test_a_folder_of_tables_that_cannot_be_made_is_said_by_its_name(tmp_path):
    tape(tmp_path / "a.tape")
    made = run("analyze", tmp_path / "a.tape", "--format", "parquet", "-o", tmp_path / "none" / "x")
    assert (made.exit_code, made.stderr) == (1, f"Error: {tmp_path}/none/x: No such file or directory\n")
