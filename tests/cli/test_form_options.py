"""Every verb that prints tables takes one format, and `--json` is one."""

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run

VERBS = {"analyze": 1, "compare": 2, "fidelity": 2}


@pytest.fixture
def tapes(tmp_path):
    pieces = [(200 * MS, data(chunk({"content": "a"}, "stop"))), (201 * MS, DONE)]
    return [write(tmp_path / f"{name}.tape", records(pieces)) for name in "ab"]


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("form", ["table", "csv", "markdown"])
def test_two_formats_are_refused(verb, form, tapes):
    done = run(verb, *tapes[: VERBS[verb]], "--format", form, "--json")
    *_, error = done.stderr.splitlines()
    assert (done.exit_code, done.stdout) == (2, "")
    assert error == f"Error: expected --json without --format {form}: it is a format itself"


@pytest.mark.parametrize("verb", VERBS)
def test_json_is_said_in_two_ways(verb, tapes):
    files = tapes[: VERBS[verb]]
    once, other, both = (
        run(verb, *files, *said)
        for said in (["--json"], ["--format", "json"], ["--json", "--format", "json"])
    )
    assert once.exit_code == 0
    assert once.stdout.startswith("{")
    assert once.stdout == other.stdout == both.stdout
