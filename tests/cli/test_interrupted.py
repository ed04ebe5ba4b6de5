"""Ctrl-C at any moment: no traceback, and 130, where 1 would be an answer."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.cli.verbs import run, tape

INTERRUPT = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"
DURING = {
    "while it is loaded": f"""
class Finder:
    def find_spec(self, name, *_):
        if name == "tokentape.cassette":
            {INTERRUPT}
import sys
sys.meta_path.insert(0, Finder())
""",
    "while its options are read": f"""
import click
def convert(*_):
    {INTERRUPT}
click.Choice.convert = convert
""",
    "while a file is read": f"""
from tokentape import cassette
def open(*_, **__):
    {INTERRUPT}
cassette.open = open
""",
    "at its end": f"""
from tokentape.cli import _group
class Ending:
    def __call__(self):
        {INTERRUPT}
_group.main = Ending()
""",
}


@pytest.mark.parametrize("when", DURING)
@pytest.mark.parametrize("verb", ["lint a.tape --rules stepfun", "cat a.tape --format sse"])
def test_it_ends_with_130_and_says_nothing(when, verb, tmp_path):
    tape(tmp_path / "a.tape")
    program = f"{DURING[when]}\nimport sys\nfrom tokentape.cli.__main__ import run\n"
    program += f"sys.argv = ['tokentape', *{verb.split()!r}]\nrun()"
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, timeout=60, cwd=tmp_path
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"")


def test_what_ignores_it_goes_on(tmp_path):
    """As a shell starts what is to go on behind its back."""
    tape(tmp_path / "a.tape")
    program = f"{DURING['while it is loaded']}from tokentape.cli.__main__ import run\nrun()"
    done = subprocess.run(
        [sys.executable, "-c", program, "info", "a.tape"],
        check=False,
        capture_output=True,
        timeout=60,
        cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_file_that_was_being_made_is_taken_away(tmp_path, monkeypatch):
    source = tape(tmp_path / "a.tape")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    result = run("recover", source, tmp_path / "b.tape")
    assert result.exit_code == 130
    assert os.listdir(tmp_path) == ["a.tape"]


def test_the_script_that_is_installed_starts_there():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert project["project"]["scripts"] == {"tokentape": "tokentape.cli.__main__:run"}
