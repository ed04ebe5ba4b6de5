import json

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tests.cli.verbs import run


def answered(path, *streams, body=b"%d", **options):
    exchanges = []
    for number, times in enumerate(streams):
        pieces = [(int(ms * MS), data(chunk({"content": "a"}))) for ms in times]
        pieces.append((int(times[-1] * MS), data(chunk(finish="stop")) + DONE))
        exchanges.append(records(pieces, exchange=number, body=body % number, **options))
    return write(path, *exchanges)


@pytest.fixture
def tapes(tmp_path):
    return (
        answered(tmp_path / "a.tape", [100, 200, 300], [50, 60, 70]),
        answered(tmp_path / "b.tape", [101, 203, 303], [50, 60, 70]),
    )


def test_table_says_errors_scale_and_drift(tapes):
    result = run("fidelity", *tapes)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert next(line for line in lines if "error of gaps" in line).split()[-3:] == ["0.000", "1.950", "2.000"]
    assert next(line for line in lines if "offset of exchanges" in line).split()[-1] == "0.594"
    assert lines[-1] == "scale 1.009901, drift 9,901 ppm; 6 gaps of 2 exchanges"


def test_json_has_every_number_by_its_name(tapes):
    found = json.loads(run("fidelity", *tapes, "--json").stdout)
    assert (found["gap_error_max_ms"], found["gaps"], found["exchanges"]) == (pytest.approx(2), 6, 2)
    assert found == json.loads(run("fidelity", *tapes, "--format", "json").stdout)
    header, row = run("fidelity", *tapes, "--format", "csv").stdout.splitlines()
    assert dict(zip(header.split(","), map(float, row.split(",")), strict=True)) == pytest.approx(found)
    assert "| gap_error_p50_ms" in run("fidelity", *tapes, "--format", "markdown").stdout


def test_speed_is_what_drift_is_counted_from(tmp_path, tapes):
    half = answered(tmp_path / "half.tape", [50, 100, 150], [25, 30, 35])
    found = json.loads(run("fidelity", tapes[0], half, "--speed", "2", "--json").stdout)
    assert (found["scale"], found["drift_ppm"]) == (pytest.approx(0.5), pytest.approx(0, abs=1e-6))
    assert json.loads(run("fidelity", tapes[0], half, "--json").stdout)["drift_ppm"] == pytest.approx(
        -500_000
    )
    assert run("fidelity", tapes[0], half, "--speed", "0").exit_code == 2


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("gap_error_max > 1ms", 1),
        ("gap_error_max_ms > 1", 1),
        ("gap_error_max > 0.001s", 1),
        ("gap_error_p99 > 3ms", 0),
        ("scaled_gap_error_p50 < 100", 1),
        ("drift_ppm > 100", 1),
        ("offset_max > 0.3ms", 1),
        ("offset_p50 > 1ms", 0),
        ("scale < 0.9", 0),
        ("exchanges < 3", 1),
        ("drift_ppm > 100ms", 2),
        ("gap_error_max > +1ms", 2),
        ("gap_error_max > 1%", 2),
        ("surely gap_error_max > 1ms", 2),
        ("gap_error_p75 > 1ms", 2),
        ("nonsense", 2),
    ],
)
def test_condition_decides_the_exit_code(tapes, condition, code):
    result = run("fidelity", *tapes, "--fail-if", condition)
    assert result.exit_code == code, result.output
    assert ("failed: " in result.stderr) == (code == 1)


def test_other_answers_are_said_in_one_line(tmp_path, tapes):
    other = answered(tmp_path / "c.tape", [100, 200, 300], [50, 60, 70, 80], [1])
    result = run("fidelity", tapes[0], other)
    assert result.exit_code == 1
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert "1 of the 2 in the recording have no equal in the other, the first of them exchange 1" in line
    assert "2 of the 3 in the replay" in line
    (line,) = run("fidelity", write(tmp_path / "x.tape"), write(tmp_path / "y.tape")).stderr.splitlines()
    assert "found no exchange in either" in line


def test_events_without_times_give_no_numbers(tmp_path):
    tapes = [write(tmp_path / f"{name}.tape", records([], status=204)) for name in "ab"]
    found = json.loads(run("fidelity", *tapes, "--json").stdout)
    assert (found["gaps"], found["gap_error_p50_ms"], found["scale"]) == (0, None, None)
    result = run("fidelity", *tapes, "--fail-if", "gap_error_p50 > 1ms")
    assert (result.exit_code, "not known" in result.stdout) == (1, True)
    assert "cannot be told: no events with times" in result.stderr


def test_one_time_in_each_exchange_gives_gaps_and_no_drift(tmp_path):
    tapes = [answered(tmp_path / f"{name}.tape", [ms], [200]) for name, ms in (("a", 100), ("b", 103))]
    result = run("fidelity", *tapes, "--fail-if", "drift_ppm > 500", "--fail-if", "gap_error_max > 5ms")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "scale not known, drift not known; 2 gaps of 2 exchanges"
    assert result.stderr == "failed: drift_ppm > 500: cannot be told: no exchange has reads at two times\n"


def test_damaged_replay_is_said(tapes):
    raw = tapes[1].read_bytes()
    tapes[1].write_bytes(raw[:-3])
    result = run("fidelity", *tapes)
    assert (result.exit_code, "lost: " in result.stderr) == (3, True)
