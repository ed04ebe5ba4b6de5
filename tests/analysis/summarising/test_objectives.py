import pandas as pd
import pytest
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, SECTION, chunk, data, records, usage_chunk, write
from tokentape.analysis import load
from tokentape.analysis.summarising._objectives import miss_rate


def spoken(number, times, *, end="complete", prompt=9):
    pieces = [(ns * MS, data(chunk({"content": "a"}))) for ns in times]
    if end == "complete":
        last = (times[-1] * MS, data(chunk(finish="stop")) + data(usage_chunk(prompt, len(times))) + DONE)
        pieces.append(last)
    return records(pieces, exchange=number, end=end, end_ns=1000 * MS)


@pytest.fixture
def made(tmp_path):
    labelled = replace(SECTION, labels={"env": "prod"}, wall_ns=SECTION.wall_ns + 3600 * 10**9)
    return load(
        write(
            tmp_path / "a.tape",
            spoken(0, [100, 150, 200], prompt=5000),
            spoken(1, [400, 700]),
            spoken(2, [100, 150], end="upstream-error"),
            [labelled],
            spoken(0, [100]),
        )
    )


def test_attainment_is_of_all_that_were_sent(made):
    row = made.slo(ttft_ms=500, gap_ms=200).loc["all"]
    assert row[["sent", "met", "missing", "attainment"]].tolist() == [4, 1, 1, 0.25]
    assert row["window_s"] == 3601
    assert row["goodput_per_s"] == 1 / 3601
    assert made.slo(ttft_ms=500)["met"].tolist() == [3]
    assert made.slo(tokens_per_s=10)["met"].tolist() == [1]


@pytest.mark.parametrize(
    ("by", "names", "sent"),
    [
        ("label.env", ["prod", None], [1, 3]),
        ("route", ["api.example/v1/chat/completions"], [4]),
        ("prompt_size", ["0-999", "1000-3999", "4000-15999", None], [2, 0, 1, 1]),
        ("output_size", ["0-99"], [4]),
        ("in_flight", [1, 3], [1, 3]),
        ("concurrency", ["1", "2-3"], [1, 3]),
        ("cache_hit", [None], [4]),
        ("connection_reused", [True], [4]),
        ("hour", [pd.Timestamp("2026-09-21T14:00Z"), pd.Timestamp("2026-09-21T15:00Z")], [3, 1]),
    ],
)
def test_groups_are_also_of_what_is_made_of_columns(made, by, names, sent):
    found = made.slo(by=by, ttft_ms=500)
    expected = [pair for pair in zip(names, sent, strict=True) if pair[1]]
    shown = [None if pd.isna(name) else name for name in found.index]
    assert list(zip(shown, found["sent"], strict=True)) == expected
    ttft = made.summary(by).xs("ttft_ms", level="metric")["n"]
    assert ttft.tolist() == [n for n in sent if n]
    assert sum(made.summary(by).xs("gap_ms", level="metric")["n"]) == 4


@pytest.mark.parametrize("objectives", [{}, {"nope": 1}])
def test_objective_for_what_is_no_metric_is_refused(made, objectives):
    with pytest.raises(ValueError, match="expected an objective"):
        made.slo(**objectives)


@pytest.mark.parametrize(
    ("gaps", "rate"),
    [
        ([20] * 10, 0),
        ([20, 20, 40], 0),  # the slack of two pays for the third
        ([30, 30, 30], 0),  # due is in time
        ([20, 20, 51], 1 / 3),  # one more than slack and its own time: (51 - 20) // 30 = 1
        ([30, 61], 2 / 3),
        ([10, 100], 2 / 3),  # (100 - 20) // 30 = 2
        ([10, 100, 40], 3 / 4),  # the slack is gone: 40 // 30 = 1
        ([100], 1),
        ([0] * 5 + [150, 1], 0),
    ],
)
def test_late_tokens_miss_as_many_deadlines_as_they_are_late(gaps, rate):
    assert miss_rate(gaps, 30) == rate


@pytest.mark.parametrize(
    ("times", "rate"),
    [
        ([200, 30, 30], 0),
        ([150, 80, 30], 0),  # what the first token did not use is slack
        ([201, 30, 30], 1 / 3),  # late by less than a token: one deadline of three
        ([260, 30], 3 / 4),  # 1 + 60 // 30 deadlines for the first token, and one met
        ([200, 31], 1 / 2),
        ([10], 0),
    ],
)
def test_the_first_token_has_a_deadline_of_its_own_if_one_is_given(times, rate):
    assert miss_rate(times, 30, 200) == rate


def test_deadlines_are_compared_in_whole_nanoseconds(tmp_path):
    times = [0, 300_000, 400_000]  # 0.3 // 0.1 is 2.0 in floats
    pieces = [(200 * MS + ns, data(chunk({"content": "a"}))) for ns in times]
    made = load(write(tmp_path / "a.tape", records(pieces)))
    assert made.deadline_miss_rate(0.1).tolist() == [3 / 4]
    assert made.deadline_miss_rate(0.3).tolist() == [0]


def test_miss_rates_are_one_for_each_stream_with_gaps(made):
    rates = made.deadline_miss_rate(tbt_ms=100)
    assert rates.tolist() == [0, 1, 0]
    assert rates.index.names == ["cassette", "section", "exchange", "choice"]
    with pytest.raises(ValueError, match="above 0 ms"):
        made.deadline_miss_rate(0)
    with pytest.raises(ValueError, match="0 ms or more"):
        made.deadline_miss_rate(1, ttft_ms=-1)


@pytest.mark.parametrize("bound", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_finite_number_is_refused_by_its_name(made, bound):
    with pytest.raises(ValueError, match="expected ttft_ms to be a number that is finite, found"):
        made.slo(gap_ms=5, ttft_ms=bound)
    with pytest.raises(ValueError, match="expected tbt_ms, a time"):
        made.deadline_miss_rate(bound)
    with pytest.raises(ValueError, match="expected ttft_ms, a time"):
        made.deadline_miss_rate(30, bound)
    if not bound > 0:
        with pytest.raises(ValueError, match="expected over_ms, a time"):
            made.stalls(bound)


def test_with_a_deadline_for_the_first_token_every_stream_with_one_has_a_rate(made):
    # 400 ms: 1 + (400 - 350) // 100 = 1 missed, then 300 // 100 = 3; the others are in time throughout
    assert made.deadline_miss_rate(tbt_ms=100, ttft_ms=350).tolist() == [0, 1, 0, 0]
    assert made.deadline_miss_rate(tbt_ms=100, ttft_ms=400).tolist() == [0, 3 / 4, 0, 0]


def test_groups_by_several_things_have_a_level_for_each(made):
    found = made.slo(by=["label.env", "prompt_size"], ttft_ms=500)
    assert found.index.names == ["label.env", "prompt_size"]
    names = [tuple(None if pd.isna(each) else each for each in name) for name in found.index]
    assert names == [("prod", "0-999"), (None, "0-999"), (None, "4000-15999"), (None, None)]
    assert found["sent"].tolist() == [1, 1, 1, 1]
    assert made.slo(by=["label.env"], ttft_ms=500).equals(made.slo(by="label.env", ttft_ms=500))
    assert made.slo(by=[], ttft_ms=500).equals(made.slo(ttft_ms=500))


def test_requests_in_flight_rise_at_their_start_and_fall_at_their_end(made):
    flight = made.concurrency()
    assert flight.tolist() == [3, 0, 1, 0]
    assert (flight.index[1] - flight.index[0]).total_seconds() == 1
    assert flight.index.name == "at"
    assert str(flight.index.tz) == "UTC"


def test_nothing_recorded_is_nothing_in_flight_and_nothing_attained(tmp_path):
    empty = load(write(tmp_path / "empty.tape"))
    assert empty.concurrency().empty
    assert empty.slo(ttft_ms=1)["attainment"].isna().all()
    assert empty.slo(by="model", ttft_ms=1).empty
    assert empty.deadline_miss_rate(10).empty
