import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import fidelity, load


def answered(path, *streams):
    exchanges = []
    for number, times in enumerate(streams):
        pieces = [(int(ms * MS), data(chunk({"content": "a"}))) for ms in times]
        pieces.append((int(times[-1] * MS), data(chunk(finish="stop")) + DONE))
        exchanges.append(records(pieces, exchange=number, body=b"%d" % number))
    return load(write(path, *exchanges))


def test_errors_are_of_gaps_and_exact(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200, 300], [50, 60, 70])
    other = answered(tmp_path / "b.tape", [101, 203, 303], [50, 60, 70])
    found = fidelity(one, other)
    assert found["gap_error_max_ms"] == pytest.approx(2)
    assert found["gap_error_p50_ms"] == 0
    assert (found["exchanges"], found["gaps"]) == (2, 10)


def test_scale_is_taken_out_and_is_the_drift(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200, 400])
    other = answered(tmp_path / "b.tape", [50, 100, 200])
    found = fidelity(one, other)
    assert found["scale"] == pytest.approx(0.5)
    assert found["scaled_gap_error_max_ms"] == pytest.approx(0)
    assert found["gap_error_max_ms"] == 100
    assert found["drift_ppm"] == pytest.approx(-500_000)


def test_recording_of_itself_is_without_error(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200, 400], [7, 9])
    found = fidelity(one, one)
    assert found.filter(like="error").tolist() == [0] * 6
    assert found["drift_ppm"] == 0


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_speed_is_a_number_above_zero(tmp_path, speed):
    one = answered(tmp_path / "a.tape", [100, 200])
    with pytest.raises(ValueError, match=f"expected a speed above 0 and finite, found {speed}"):
        fidelity(one, one, speed=speed)


def test_other_answers_are_no_replay(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200])
    with pytest.raises(ValueError, match="expected a replay"):
        fidelity(one, answered(tmp_path / "b.tape", [100, 200, 300]))
