import io
import json
import os
import re

import pytest
from click.testing import CliRunner
from rich.console import Console

from tests.analysis.tapes import MS, chunk, data, records, write
from tokentape import cassette
from tokentape.cli import main, watch
from tokentape.cli._looking import looking
from tokentape.cli._watch_table import at_a_glance

PIECES = [(200 * MS, data(chunk({"content": "a\x1b[31m"}, model="m\x1b[31m")))]


def run(*arguments, **options):
    return CliRunner().invoke(main, ["watch", *map(str, arguments)], **options)


@pytest.fixture
def tape(tmp_path):
    return write(
        tmp_path / "a.tape",
        records(PIECES, end="client-closed"),
        records([], exchange=1, status=None, end=None),
    )


def test_once_prints_the_table_as_it_is_now(tape):
    for arguments in ([tape, "--once"], [tape]):  # what is no terminal is printed to once
        result = run(*arguments)
        assert result.exit_code == 0
        assert "in flight" in result.stdout
        assert "2 exchanges, 1 in flight, 1 failure" in result.stdout
        assert "client-closed" in result.stdout
        assert "m\\x1b[31m" in result.stdout
        assert "\x1b" not in result.stdout


def test_json_is_one_object_a_refresh(tape):
    (line,) = run(tape, "--once", "--json").stdout.splitlines()
    found = json.loads(line)
    assert (found["exchanges"], found["failures"], found["size"]) == (2, 1, tape.stat().st_size)
    assert [each["state"] for each in found["in_flight"]] == ["waiting"]


def test_it_goes_on_until_ctrl_c_and_exits_0(tape, monkeypatch):
    """What happens to the file between two looks is seen in the next one."""
    whole = tape.read_bytes()
    steps = [
        tape.unlink,
        lambda: tape.write_bytes(whole),
        lambda: os.truncate(tape, 0),
        lambda: tape.write_bytes(whole[:-1]),
    ]

    def sleep(_):
        if not steps:
            raise KeyboardInterrupt
        steps.pop(0)()

    monkeypatch.setattr(watch.time, "sleep", sleep)
    result = run(tape, "--json")
    assert result.exit_code == 0
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [each["exchanges"] for each in found] == [2, 2, 2, 0, 1]  # what was, as long as there is no file
    assert [each["size"] for each in found] == [len(whole), None, len(whole), 0, len(whole) - 1]


def test_a_long_file_is_read_bit_by_bit_and_seen_meanwhile(tmp_path, monkeypatch):
    tape = write(tmp_path / "a.tape", *(records(PIECES, exchange=n) for n in range(20)))
    now = iter(range(1_000))
    monkeypatch.setattr(watch.time, "monotonic", lambda: next(now))
    looks = []

    def sleep(_):
        looks.append(1)
        if len(looks) > 30:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", sleep)
    found = [json.loads(line) for line in run(tape, "--json", "--interval", "3").stdout.splitlines()]
    seen = [each["exchanges"] for each in found]
    assert seen == sorted(seen)
    assert 0 < seen[0] < seen[3] < seen[-1] == 20
    assert found[0]["read"] < found[-1]["read"] == tape.stat().st_size


def test_a_file_that_is_not_there_is_an_error_only_for_once(tmp_path):
    result = run(tmp_path / "none.tape", "--once")
    assert result.exit_code == 1
    assert "without --once it is waited for" in result.stderr


def test_standard_input_is_a_usage_error():
    assert run("-").exit_code == 2


def test_what_is_no_cassette_is_an_error(tmp_path):
    (tmp_path / "x").write_text("hello, world")
    result = run(tmp_path / "x", "--once")
    assert result.exit_code == 1
    assert "expected a cassette" in result.stderr


@pytest.mark.parametrize("interval", ["nan", "-1", "0", "inf", "-inf"])
def test_an_interval_that_is_none_is_a_usage_error(tape, interval):
    result = run(tape, "--json", "--interval", interval)
    assert result.exit_code == 2
    assert "--interval" in result.stderr


def glances(path, *exchanges, height):
    """What a terminal so low shows of a recording, at several widths: words without spaces."""
    with cassette.Follower(str(write(path, *exchanges))) as follower:
        picture = looking(follower, None)()
        for width in (20, 40, 80, 160):
            console = Console(file=io.StringIO(), width=width, height=height, legacy_windows=False)
            lines = console.render_lines(at_a_glance(picture, follower, console), pad=False)
            assert len(lines) <= height
            yield "".join("".join(part.text for line in lines for part in line).split())


def test_a_low_terminal_has_the_latest_and_the_totals(tmp_path):
    ended = [records(PIECES, exchange=n) for n in range(20)]
    for shown in glances(tmp_path / "a.tape", *ended, height=24):
        assert "#19" in shown
        assert "20exchanges,0inflight" in shown


def test_a_low_terminal_has_the_longest_in_flight_and_how_many_there_are(tmp_path):
    in_flight = [records(PIECES[:-1], exchange=n, end=None) for n in range(20)]
    for shown in glances(tmp_path / "a.tape", *in_flight, height=18):
        assert "#19" not in shown
        assert "20exchanges,20inflight(" in shown
        assert int(re.search(r"inflight\((\d+)notshown\)", shown)[1]) + shown.count("#") == 20
