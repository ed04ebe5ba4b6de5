import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, write
from tokentape.analysis import FIDELITY, fidelity, load


def answered(path, *streams, events=1):
    """Streams of a read at each of these times, with so many events in it."""
    exchanges = []
    for number, times in enumerate(streams):
        pieces = [(int(ms * MS), data(chunk({"content": "a"})) * events) for ms in times]
        pieces.append((int(times[-1] * MS), data(chunk(finish="stop")) + DONE))
        exchanges.append(records(pieces, exchange=number, body=b"%d" % number))
    return load(write(path, *exchanges))


def test_errors_are_of_gaps_and_exact(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200, 300], [50, 60, 70])
    other = answered(tmp_path / "b.tape", [101, 203, 303], [50, 60, 70])
    found = fidelity(one, other)
    assert found["gap_error_max_ms"] == pytest.approx(2)
    assert found["gap_error_p50_ms"] == 0
    assert found["gap_error_p99_ms"] == pytest.approx(1.95)  # of 0, 0, 0, 0, 1 and 2
    assert (found["exchanges"], found["gaps"]) == (2, 6)


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
    assert found.filter(like="offset").tolist() == [0] * 3
    assert found["drift_ppm"] == 0
    assert tuple(found.index) == FIDELITY


@pytest.mark.parametrize("speed", [1, 4])
@pytest.mark.parametrize("late_ms", [1, 30])
def test_lateness_that_does_not_grow_is_an_offset_and_no_drift(tmp_path, late_ms, speed):
    """However short streams are, and if they begin at different times."""
    streams = [[first + 5 * step for step in range(20)] for first in (20, 400, 40)]
    one = answered(tmp_path / "a.tape", *streams)
    later = ([ms / speed + late_ms for ms in times] for times in streams)
    found = fidelity(one, answered(tmp_path / "b.tape", *later), speed=speed)
    assert found["drift_ppm"] == pytest.approx(0, abs=0.01)
    assert found["scale"] == pytest.approx(1 / speed)
    assert found.filter(like="offset").tolist() == pytest.approx([late_ms] * 3)
    assert (found["gap_error_p50_ms"], found["scaled_gap_error_p50_ms"]) == pytest.approx((0, 0), abs=1e-9)
    assert found["gap_error_max_ms"] == pytest.approx(late_ms)  # before the first


def test_drift_and_offset_are_told_apart(tmp_path):
    """Replayed time is the recorded time, 0.2% longer, and 3, 5 and -10 ms."""
    streams = [[first + 10 * step for step in range(50)] for first in (100, 20, 700)]
    one = answered(tmp_path / "a.tape", *streams)
    later = ([ms * 1.002 + by for ms in times] for times, by in zip(streams, (3, 5, -10), strict=True))
    found = fidelity(one, answered(tmp_path / "b.tape", *later))
    assert found["drift_ppm"] == pytest.approx(2_000)
    assert found["offset_p50_ms"] == pytest.approx(5)
    assert found["offset_max_ms"] == pytest.approx(10)
    assert found["gap_error_p50_ms"] == pytest.approx(0.02)
    assert found["scaled_gap_error_p50_ms"] == pytest.approx(0, abs=1e-6)


def test_gaps_are_measured_against_those_that_the_speed_asks_for(tmp_path):
    streams = [100, 200, 400]
    one = answered(tmp_path / "a.tape", streams)
    twice = answered(tmp_path / "b.tape", [50, 100, 200])
    assert fidelity(one, twice, speed=2)["gap_error_max_ms"] == 0
    asked_for_four = fidelity(one, twice, speed=4)
    assert asked_for_four["gap_error_max_ms"] == 50
    assert asked_for_four["scaled_gap_error_max_ms"] == pytest.approx(0)
    assert asked_for_four["drift_ppm"] == pytest.approx(1e6)


def test_gaps_of_nothing_within_a_read_do_not_hide_those_between_reads(tmp_path):
    """Five events a read: of five gaps four are 0 in both, and every other one is 30 ms off."""
    times = [100 * step for step in range(1, 21)]
    one = answered(tmp_path / "a.tape", times, events=5)
    off = [ms + 30 * (at % 2) for at, ms in enumerate(times)]
    found = fidelity(one, answered(tmp_path / "b.tape", off, events=5))
    assert found["gap_error_p50_ms"] == pytest.approx(30)
    assert found["gaps"] == 20


def test_what_came_together_and_is_torn_apart_in_the_replay_is_an_error(tmp_path):
    def tape(name, apart_ms):
        events = [data(chunk({"content": "a"})) for _ in range(5)]
        pieces = [
            ((100 * read + apart_ms * (at > 0)) * MS, event)
            for read in (1, 2)
            for at, event in enumerate(events)
        ]
        return load(write(tmp_path / name, records([*pieces, (300 * MS, data(chunk(finish="stop")) + DONE)])))

    found = fidelity(tape("a.tape", 0), tape("b.tape", 80))
    assert found["gap_error_max_ms"] == 80
    assert found["gaps"] == 2 + 2 + 1  # where a read began in the recording, and in the replay alone


def test_one_time_in_each_exchange_has_no_scale(tmp_path):
    one = answered(tmp_path / "a.tape", [100], [200])
    found = fidelity(one, answered(tmp_path / "b.tape", [101], [203]))
    assert (found["gap_error_max_ms"], found["gaps"]) == (3, 2)
    assert found[["scale", "drift_ppm", "scaled_gap_error_p50_ms", "offset_p50_ms"]].isna().all()


@pytest.mark.parametrize("speed", [0, -1, float("nan"), float("inf")])
def test_speed_is_a_number_above_zero(tmp_path, speed):
    one = answered(tmp_path / "a.tape", [100, 200])
    with pytest.raises(ValueError, match=f"expected a speed above 0 and finite, found {speed}"):
        fidelity(one, one, speed=speed)


def test_other_answers_are_no_replay(tmp_path):
    one = answered(tmp_path / "a.tape", [100, 200])
    with pytest.raises(ValueError, match="expected a replay"):
        fidelity(one, answered(tmp_path / "b.tape", [100, 200, 300]))
