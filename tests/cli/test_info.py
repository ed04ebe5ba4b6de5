import json

import pytest
import zstandard
from msgspec.structs import replace

from tests.cassette.tapes import CLOSE, SECTION, closed, exchange, raw
from tests.cli.verbs import INTERRUPTED, TAPE, bad_file, corrupt, run, tape, torn


@pytest.fixture(autouse=True)
def zone(monkeypatch):
    import time

    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-2")
        time.tzset()
        yield
    time.tzset()


def rows(text: str) -> dict[str, str]:
    """The rows of the tables, by their labels."""
    return {line[:11].strip(): line[11:].strip() for line in text.splitlines() if line.strip()}


def test_the_table_says_what_is_in_it(tmp_path):
    path = tape(tmp_path / "a.tape")
    result = run("info", path)
    assert (result.exit_code, result.stderr) == (0, "")
    found = rows(result.stdout)
    assert result.stdout.splitlines()[0].strip() == str(path)
    del found[str(path)[:11]]
    assert found == {
        "size": f"{path.stat().st_size:,} bytes",
        "format": "version 1",
        "written by": "tokentape 0.1.0 in mitmproxy 11.0.2",
        "machine": "recorder.example",
        "recorded": "2026-09-21 16:13:20 to 16:13:20 XYZ (+0200), 0.452 s",
        "labels": "run=a",
        "redaction": "headers; 2 values replaced",
        "exchanges": "2",
        "hosts": "api.example 1, other.example 1",
        "models": "gpt-4o 1, 千问 1",
        "ended": "complete 2",
        "status": "200 1, 429 1",
        "pieces": "5",
        "bodies": "55 bytes of answers, 36 of requests, the longest answer 33 (exchange 1)",
        "notes": "1",
    }


def test_json_is_a_list_with_an_object_for_each_file(tmp_path):
    result = run("info", tape(tmp_path / "a.tape"), tape(tmp_path / "b.tape", *INTERRUPTED), "--json")
    assert result.exit_code == 0
    one, two = json.loads(result.stdout)
    assert (one["file"], one["verdict"], two["verdict"]) == (str(tmp_path / "a.tape"), "whole", "interrupted")
    assert one["file_bytes"] == one["cassette_bytes"] == len(raw(*TAPE))
    assert one["sections"] == [
        {
            "start": "2026-09-21T14:13:20.000000000+00:00",
            "end": "2026-09-21T14:13:20.452000000+00:00",
            "duration_s": CLOSE.t / 1e9,
            "closed": True,
            "exchanges": 2,
            "pieces": 5,
            "body_bytes": 55,
            "writer": "tokentape 0.1.0",
            "proxy": "mitmproxy 11.0.2",
            "host": "recorder.example",
            "redaction": ["headers"],
            "labels": {"run": "a"},
        }
    ]
    assert one["models"] == {"gpt-4o": 1, "千问": 1}
    assert one["largest"] == {"section": 0, "exchange": 1, "body_bytes": 33}
    assert two["outcomes"] == {"complete": 1, "interrupted": 1}
    assert not two["sections"][0]["closed"]


def test_a_recording_that_was_interrupted_has_lost_nothing(tmp_path):
    result = run("info", tape(tmp_path / "a.tape", *INTERRUPTED))
    assert (result.exit_code, result.stderr) == (0, "")
    found = rows(result.stdout)
    assert found["no close"] == "the recorder still runs, or did not stop cleanly"
    assert found["ended"] == "complete 1, interrupted 1"


@pytest.mark.parametrize(("hurt", "says"), [(torn, "cut off at byte"), (corrupt, "bytes damaged at byte")])
def test_damage_is_said_and_what_is_whole_is_counted(hurt, says, tmp_path):
    path = hurt(tmp_path / "a.tape")
    result = run("info", path)
    assert result.exit_code == 3
    assert says in rows(result.stdout)["damage"]
    assert result.stderr == f"{path}: not all of it is whole; tokentape verify says more\n"
    (found,) = json.loads(run("info", path, "--json").stdout)
    assert found["exchanges"] == 2
    assert len(found["damage"]) == 1
    assert found["cassette_bytes"] == found["file_bytes"]


def test_records_that_are_missing_without_a_trace_are_said_too(tmp_path):
    result = run("info", tape(tmp_path / "a.tape", *TAPE[:3], *TAPE[4:]))
    assert result.exit_code == 3
    assert "2 signs of lost records" in rows(result.stdout)["missing"]


def test_times_that_go_back_are_a_warning_and_no_loss(tmp_path):
    early = replace(TAPE[4], t=0)
    result = run("info", tape(tmp_path / "a.tape", *TAPE[:4], early, *TAPE[5:]))
    assert result.exit_code == 0
    assert "1; tokentape verify" in rows(result.stdout)["warnings"]


def test_standard_input_and_compression(tmp_path):
    packed = zstandard.ZstdCompressor().compress(raw(*TAPE))
    path = tmp_path / "a.tape.zst"
    path.write_bytes(packed)
    (found,) = json.loads(run("info", path, "--json").stdout)
    assert (found["compressed"], found["file_bytes"], found["cassette_bytes"]) == (
        True, len(packed), len(raw(*TAPE)),
    )  # fmt: skip
    assert f"{len(packed):,} bytes, {len(raw(*TAPE)):,} decompressed" in run("info", path).stdout
    (piped,) = json.loads(run("info", "-", "--json", stdin=packed).stdout)
    assert piped == {**found, "file": "-", "file_bytes": None}
    assert f"{len(raw(*TAPE))} bytes" in run("info", "-", stdin=raw(*TAPE)).stdout


def test_several_sections_are_listed(tmp_path):
    nowhen = replace(SECTION, wall_ns=0)
    more = [record for n in range(12) for record in closed(nowhen, *exchange(0))]
    found = rows(run("info", tape(tmp_path / "a.tape", *TAPE, *more, SECTION)).stdout)
    assert found["sections"] == "14, 1 of them without a close record"
    assert found["0"] == "2026-09-21 16:13:20 to 16:13:20 XYZ (+0200), 0.452 s, 2 exchanges"
    assert found["1"] == "at an unknown time, 0.452 s, 1 exchange"
    assert "and 4 more" in found.values()


def test_one_file_that_is_none_does_not_keep_the_others_from_being_shown(tmp_path):
    text = bad_file(tmp_path, "text")
    result = run("info", text, torn(tmp_path / "a.tape"))
    assert result.exit_code == 1
    assert str(tmp_path / "a.tape") in result.stdout
    assert "expected a cassette" in result.stderr


def test_names_in_a_recording_cannot_command_the_terminal(tmp_path):
    evil = "\x1b[2J\u202e"
    section = replace(SECTION, host=evil, writer=evil, proxy=evil, labels={evil: evil}, redaction=(evil,))
    path = tape(tmp_path / "a\x1b[2J.tape", section, *exchange(0, host=evil, model=r"\u001b[2J"))
    for more in ([], ["--json"]):
        result = run("info", path, *more)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout
        assert "\u202e" not in result.stdout
    torn(path)
    assert "\x1b" not in run("info", path).stderr
