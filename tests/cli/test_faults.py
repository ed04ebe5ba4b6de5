"""`replay --fault`: what is given is applied, and what is printed says how often it hit."""

import json
import signal

import pytest
from click.testing import CliRunner

from tests.cli.test_replay import replaying, stop
from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.cli import main
from tokentape.cli._served import served_json, served_table
from tokentape.replay import FaultHits, Stats

HITS = (FaultHits(fault="split=1", times=1), FaultHits(fault="drop-done,times=2", times=2))


def invoke(*arguments):
    return CliRunner().invoke(main, ["replay", *map(str, arguments)])


@pytest.mark.parametrize("as_json", [False, True])
def test_faults_are_applied_in_their_order_and_counted(tmp_path, as_json):
    path = tape(tmp_path / "a.tape", exchange())
    faults = ["--fault", "drop-done,times=1", "--fault", "dup@event=1", "--fault", "truncate@event=9"]
    with replaying(path, "--speed", "instant", *faults, *(["--json"] if as_json else [])) as (process, url):
        with connected(url) as client:
            for doubled in (b"", b"data: [DONE]\n\n"):
                client.sendall(post())
                answer = read_until(client, b"0\r\n\r\n")
                assert answer.count(b"data: 1\n\n") == 2
                assert answer.count(b"data: [DONE]\n\n") == bool(doubled)
        out, _ = stop(process, signal.SIGINT)
    assert process.returncode == 0
    if as_json:
        assert json.loads(out)["faults"] == [
            {"fault": "drop-done,times=1", "times": 1},
            {"fault": "dup@event=1", "times": 2},
            {"fault": "truncate@event=9", "times": 0},
        ]
    else:
        for line in (
            "drop-done,times=1: hit 1 time",
            "dup@event=1: hit 2 times",
            "truncate@event=9: never hit",
        ):
            assert f"\nfault {line}\n" in out


def test_faults_come_from_a_file_too(tmp_path):
    path = tape(tmp_path / "a.tape", exchange())
    config = tmp_path / "replay.toml"
    config.write_text('[replay]\nspeed = "instant"\nfault = ["drop-done", "dup@event=1"]\n')
    with replaying(path, "--config", config) as (process, url):
        with connected(url) as client:
            client.sendall(post())
            assert read_until(client, b"0\r\n\r\n").count(b"data: ") == 2
        stop(process, signal.SIGINT)


def test_what_is_not_understood_is_a_usage_error_of_one_line(tmp_path):
    result = invoke(tape(tmp_path / "a.tape", exchange()), "--fault", "truncat@event=5")
    assert result.exit_code == 2
    assert "Invalid value for '--fault': fault 'truncat@event=5': expected a kind of fault (" in result.stderr
    assert result.stderr.rstrip().endswith("did you mean truncate@event=5?")


def test_what_is_said_of_a_fault_commands_no_terminal(tmp_path):
    result = invoke(tape(tmp_path / "a.tape", exchange()), "--fault", "split=1\x1b[2J")
    assert result.exit_code == 2
    assert "\x1b" not in result.stderr
    hits = (FaultHits(fault="split=1,path=\u202eabc", times=0),)
    assert "\u202e" not in served_table(Stats(faults=hits))


def test_the_table_and_the_object_have_a_line_for_each():
    stats = Stats(faults=HITS)
    assert "\nfault split=1: hit 1 time\nfault drop-done,times=2: hit 2 times\n" in served_table(stats)
    found = json.loads(served_json(stats))["faults"]
    assert found[1] == {"fault": "drop-done,times=2", "times": 2}
    assert "fault" not in served_table(Stats())
