"""The cases of cases.py on made cassettes, where every number is exact, and what else an ending can be."""

import math

import pytest

from tests.analysis.cases import CASES, tokens
from tests.analysis.tapes import DONE, MS, chunk, data, recording, stream
from tests.analysis.truth import HEADERS_MS, TIMES, Case, Must
from tokentape.analysis import Recording

TOKENS_NS = [(ms * MS, event) for ms, event in tokens()]
SEEN_NS = TOKENS_NS[:25]


def made_of(case: Case, folder, late_ns: int = 0) -> Recording:
    return recording(
        folder,
        [(ms * MS + late_ns, event) for ms, event in case.pieces],
        end=case.ending,
        end_ns=case.end_ms * MS + late_ns,
        headers_ns=HEADERS_MS * MS + late_ns,
    )


def chosen(made: Recording, must: Must):
    return made.events[made.events["is_token"] & (made.events["choice"] == must.equal["choice"])]


@pytest.mark.parametrize("late_ns", [0, 1, 999_999])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_gives_exactly_what_it_must(case, tmp_path, late_ns):
    made = made_of(case, tmp_path, late_ns)
    rows = made.as_dict()["streams"]
    assert len(rows) == len(case.streams)
    for row, must in zip(rows, case.streams, strict=True):
        found = {name: row[name] for name in must.equal}
        assert found == must.equal
        clocks = {
            name: ms if isinstance(ms, str) else (ms * MS + late_ns) / MS for name, ms in must.clocks.items()
        }
        for name, value in {**clocks, **must.numbers}.items():
            expected = (None, value) if isinstance(value, str) else (value, None)
            assert (row[name], row[f"{name}_why"]) == expected, name
    (exchange,) = made.as_dict()["exchanges"]
    assert {name: exchange[name] for name in case.exchange} == case.exchange


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_has_its_gaps_in_every_table(case, tmp_path):
    made = made_of(case, tmp_path)
    for must in case.streams:
        events = chosen(made, must)
        assert events["t_ms"].tolist() == list(must.tokens_ms)
        assert events["coalesced"].sum() == must.coalesced
        gaps = [float(b - a) for a, b in zip(must.tokens_ms, must.tokens_ms[1:], strict=False)]
        assert events["gap_ms"].tolist()[1:] == gaps
        assert len(gaps) == must.gaps
        assert events["token_event"].tolist() == list(range(must.gaps + 1))
        assert events.loc[~events["coalesced"], "read_gap_ms"].tolist()[1:] == [gap for gap in gaps if gap]
        assert set(events["tokens"].dropna()) == ({case.tokens} if case.tokens else set())
    assert made.events["gap_ms"].count() == sum(must.gaps for must in case.streams)
    reads = made.reads[made.reads["is_token"]]
    assert reads["read_gap_ms"].tolist()[1:] == case.read_gaps_ms
    assert math.isnan(reads["read_gap_ms"].iloc[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_is_in_the_summary_as_it_is_in_the_tables(case, tmp_path):
    made = made_of(case, tmp_path)
    summary = made.summary()
    most = max(must.numbers["gap_max_ms"] for must in case.streams)
    assert summary.loc["gap_ms", ["n", "max"]].tolist() == [sum(each.gaps for each in case.streams), most]
    assert summary.loc["ttft_ms", "n"] == len(case.streams)
    assert summary.loc["read_gap_ms", "n"] == sum(each.gaps - each.coalesced for each in case.streams)
    stalls = made.stalls(over_ms=100)[["token_event", "gap_ms", "t_ms"]]
    assert [tuple(row) for row in stalls.values.tolist()] == list(case.stalls)
    outcomes = made.outcomes()["streams"]
    assert outcomes[case.streams[0].equal["outcome"]] == outcomes.sum() == len(case.streams)


def test_every_case_has_a_name_of_its_own():
    assert len({case.name for case in CASES}) == len(CASES)


@pytest.mark.parametrize(
    "error",
    [
        b"event: error\ndata: overloaded\n\n",
        b'event: error\ndata: {"message": "overloaded"}\n\n',
        b'data: {"object": "error", "message": "overloaded"}\n\n',
    ],
)
@pytest.mark.parametrize("ending", [[], [(1200 * MS, DONE)]])
def test_an_error_of_another_shape_is_an_error(tmp_path, error, ending):
    row = stream(tmp_path, [*SEEN_NS, (705 * MS, error), *ending])
    assert row["outcome"] == "error-in-stream"
    assert (row["ttft_ms"], row["token_events"]) == (200, 25)
    assert (row["e2e_ms"], row["e2e_ms_why"]) == (None, "error-in-stream")


def test_error_beside_a_finish_reason_is_an_error(tmp_path):
    beside = chunk({"content": ""}, "stop", error={"message": "Provider returned error"})
    pieces = [*TOKENS_NS, (1190 * MS, data(beside)), (1200 * MS, DONE)]
    assert stream(tmp_path, pieces)["outcome"] == "error-in-stream"


def test_a_recorder_that_was_told_to_end_cuts_the_stream(tmp_path):
    row = stream(tmp_path, SEEN_NS, end="recorder-stopped", end_ns=690 * MS)
    assert row["outcome"] == "recorder-stopped"
    assert (row["ttft_ms"], row["last_token_ms"], row["itl_ms"], row["end_ms"]) == (200, 680, 20, 690)
    for name in ("finish_ms", "done_ms", "e2e_ms", "prompt_tokens"):
        assert (row[name], row[f"{name}_why"]) == (None, "recorder-stopped")


def test_recorder_that_was_killed_is_not_the_providers_fault(tmp_path):
    made = recording(tmp_path, SEEN_NS, end=None)
    (row,) = made.as_dict()["streams"]
    assert row["outcome"] == "recorder-stopped"
    assert (row["end_ms"], row["end_ms_why"]) == (None, "recorder-stopped")
    assert (row["ttft_ms"], row["token_events"]) == (200, 25)
    assert made.lost == ()


def test_id_lines_change_nothing(tmp_path):
    pieces = [(ns, b"id: 7\n" + event) for ns, event in [*TOKENS_NS, (1200 * MS, DONE)]]
    row = stream(tmp_path, pieces)
    assert (row["ttft_ms"], row["itl_ms"], row["token_events"]) == (200, 20, len(TIMES))


def test_times_are_exact_to_the_nanosecond(tmp_path):
    event = TOKENS_NS[0][1]
    pieces = [(ns, event) for ns in (200_000_001, 200_000_003, 220_000_006)]
    made = recording(tmp_path, [*pieces, (220_000_007, data(chunk(finish="stop")))])
    (row,) = made.as_dict()["streams"]
    assert (row["ttft_ms"], row["last_token_ms"], row["finish_ms"]) == (200.000001, 220.000006, 220.000007)
    assert row["itl_ms"] == 20_000_005 / 2_000_000
    assert made.events["gap_ms"].dropna().tolist() == [0.000002, 20.000003]
    assert row["gap_p50_ms"] == 10.0000025
    assert made.streams["started_at"].dt.nanosecond.tolist() == [123]
