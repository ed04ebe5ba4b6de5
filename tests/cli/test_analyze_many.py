"""`tokentape analyze` into folders, with a bar, and with a cluster that is not there. With one: tests/e2e."""

import os
import subprocess
import sys

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.analysis.test_load import damaged
from tests.terminals import on_a_terminal
from tokentape.cli import main

PIECES = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (231 * MS, DONE)]


def analyze(*arguments):
    return CliRunner().invoke(main, ["analyze", *map(str, arguments)])


@pytest.fixture
def tape(tmp_path):
    return write(tmp_path / "a.tape", *(records(PIECES, exchange=number) for number in range(3)))


def test_parquet_folder_has_the_four_tables_and_nothing_is_printed(tape, tmp_path):
    result = analyze(tape, "--format", "parquet", "-o", tmp_path / "out")
    assert (result.exit_code, result.output) == (0, "")
    sizes = {name: len(pd.read_parquet(tmp_path / "out" / name)) for name in os.listdir(tmp_path / "out")}
    assert sizes == {
        "exchanges.parquet": 3,
        "streams.parquet": 3,
        "events.parquet": 6,
        "reads.parquet": 6,
    }


def test_parquet_folder_keeps_conditions_and_says_what_was_lost(tape, tmp_path):
    damaged(tape, b"[DONE]")
    out = tmp_path / "out"
    result = analyze(tape, "--format", "parquet", "-o", out, "--where", "outcome=damaged")
    assert result.exit_code == 3
    assert result.stderr.count("lost: ") == 2
    assert len(pd.read_parquet(out / "streams.parquet")) == 1


def test_parquet_folder_that_exists_is_kept_unless_asked_otherwise(tape, tmp_path):
    options = [tape, "--format", "parquet", "-o", tmp_path / "out"]
    assert analyze(*options).exit_code == 0
    result = analyze(*options)
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "add --overwrite" in result.stderr
    assert analyze(*options, "--overwrite").exit_code == 0
    (tmp_path / "out" / "mine").touch()
    result = analyze(*options, "--overwrite")
    assert (result.exit_code, "'mine'" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    "options", [["--format", "csv"], [], ["--format", "parquet", "--by", "model"], ["--slo", "ttft_ms=1"]]
)
def test_folder_is_for_whole_tables_alone(tape, tmp_path, options):
    result = analyze(tape, "-o", tmp_path / "out", *options)
    assert (result.exit_code, "expected --format parquet" in result.stderr) == (2, True)


def test_what_is_no_folder_to_make_is_one_line(tape, tmp_path):
    result = analyze(tape, "--format", "parquet", "-o", tmp_path / "none" / "out")
    assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
    assert "No such file" in result.stderr


def test_standard_input_can_be_written_as_parquet(tape, tmp_path):
    arguments = ["analyze", "-", "--format", "parquet", "-o", str(tmp_path / "out")]
    result = CliRunner().invoke(main, arguments, input=tape.read_bytes())
    assert result.exit_code == 0
    assert set(pd.read_parquet(tmp_path / "out" / "streams.parquet")["cassette"]) == {"-"}


def test_standard_input_is_not_for_a_cluster(tape):
    code = (
        "import sys\n"
        "from contextlib import nullcontext\n"
        "import tokentape.analysis.dask as dask\n"
        "dask.connected = lambda *_, **__: nullcontext()\n"
        "from tokentape.cli import main\n"
        "main(['analyze', '-', '--scheduler', 'tcp://x:1'])\n"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
    assert result.returncode == 2
    assert b"expected files that all workers can read" in result.stderr


def test_without_dask_the_option_says_what_adds_it(tape):
    code = (
        "import sys; sys.modules['distributed'] = None; from tokentape.cli import main;"
        f"main(['analyze', {str(tape)!r}, '--scheduler', 'tcp://127.0.0.1:1'])"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
    assert result.returncode == 1
    assert b"pip install 'tokentape[dask]'" in result.stderr
    assert result.stderr.count(b"\n") == 1


def test_analysis_imports_dask_only_when_it_is_asked_for(tape):
    code = (
        "import sys; from tokentape.cli import main;"
        f"main(['analyze', {str(tape)!r}], standalone_mode=False);"
        "sys.exit(bool({'dask', 'distributed'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, timeout=60)
    assert result.returncode == 0, result.stderr


SLOW = """
import sys
from tests.terminals import bars
shown = bars(after_s=0.05)
from tokentape.analysis.loading import _parquet
load = _parquet.load_parts
_parquet.load_parts = lambda *arguments: (shown(), load(*arguments))[1]
from tokentape.cli import main
main(["analyze", sys.argv[1], "--format", "parquet", "-o", sys.argv[2]])
"""


def test_bar_is_on_a_terminal_alone_and_nothing_stays_of_it(tape, tmp_path):
    shown, code = on_a_terminal(sys.executable, "-c", SLOW, tape, tmp_path / "one")
    assert code == 0
    assert b"writing tables" in shown
    assert b"0/1" in shown
    assert shown.endswith((b"\x1b[2K", b"\x1b[?25h"))  # the line is empty, the cursor is back
    command = [sys.executable, "-c", SLOW, tape, tmp_path / "two"]
    result = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_quick_work_shows_no_bar(tape, tmp_path):
    quick = SLOW.replace("(shown(), ", "(None, ").replace("0.05", "30")
    shown, code = on_a_terminal(sys.executable, "-c", quick, tape, tmp_path / "one")
    assert (shown, code) == (b"", 0)


READING = """
import sys
from tests.terminals import bars
shown = bars(after_s=0.05)
from tokentape import cassette
exchanges = cassette.exchanges
cassette.exchanges = lambda *arguments: (shown(), exchanges(*arguments))[1]
from tokentape.cli import main
main(sys.argv[1:])
"""


@pytest.mark.parametrize("verb", ["analyze", "compare", "lint"])
def test_reading_has_a_bar_on_a_terminal_alone(tape, verb):
    command = [sys.executable, "-c", READING, verb, tape, *([tape] if verb == "compare" else [])]
    shown, code = on_a_terminal(*command)
    assert code == (verb == "lint")  # which finds something
    assert b"reading cassettes" in shown
    if verb != "lint":  # whose last line is of what was checked
        assert shown.endswith((b"\x1b[2K", b"\x1b[?25h"))
    result = subprocess.run(command, check=False, capture_output=True, timeout=60)
    assert result.returncode == code
    assert b"reading cassettes" not in result.stderr


DASK = """
import sys, dask
dask.config.set(scheduler=sys.argv[2])
from tests.terminals import bars
shown = bars(after_s=0.05)
from tokentape.analysis.dask import _recording, load
progress = len(sys.argv) < 4
one = _recording.load_parts
_recording.load_parts = lambda *arguments: (shown(30 if progress else 0.4), one(*arguments))[1]
print(len(load(sys.argv[1], progress=progress).summary()))
"""


@pytest.mark.parametrize("scheduler", ["synchronous", "threads"])
def test_what_dask_computes_here_has_a_bar_on_a_terminal_alone(tape, scheduler):
    command = [sys.executable, "-c", DASK, tape, scheduler]
    shown, code = on_a_terminal(*command)
    assert code == 0
    assert b"reading cassettes" in shown
    assert shown.endswith((b"\x1b[2K", b"\x1b[?25h"))
    assert on_a_terminal(*command, "no bar") == (b"", 0)


def test_conditions_that_choose_nothing_are_said_of_whole_tables_too(tape, tmp_path):
    for value, count in (("typo", 1), ("*", 0)):
        result = analyze(tape, "--format", "parquet", "-o", tmp_path / value[0], "--where", f"model={value}")
        assert result.exit_code == 0
        assert result.stderr.count(f"{tape}: --where model=typo chose 0 of ") == count
