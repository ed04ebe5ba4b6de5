"""What no recorder writes is not measured, and a line says of each exchange why."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.analysis.sound import check
from tests.analysis.tapes import DONE, MS, SECTION, ZERO, chunk, data, records, usage_chunk, write
from tests.cassette.tapes import raw
from tests.cli.verbs import run
from tokentape import cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis import load
from tokentape.analysis.loading._options import options_of
from tokentape.analysis.loading._parts import load_parts, parts_of

PIECES = [
    *((ms * MS, data(chunk({"content": "a"}))) for ms in (200, 220, 240)),
    (260 * MS, data(chunk({}, "stop"))),
    (261 * MS, data(usage_chunk(5, 3))),
    (262 * MS, DONE),
]
RECORDS = records(PIECES)
MEASURED = [name for name in schema.MEASURES if name != "prompt_tokens"]


def changed(kind, **fields):
    return [replace(each, **fields) if isinstance(each, kind) else each for each in RECORDS]


def connected(tcp_start, tcp_end, tls_end):
    times = cassette.Connect(tcp_start=tcp_start, tcp_end=tcp_end, tls_end=tls_end)
    return changed(cassette.Response, connect=times)


OUT_OF_ORDER = {
    "the request complete after its answer": changed(cassette.Request, t_end=ZERO + 10_000 * MS),
    "the request complete by a nanosecond after the answer": changed(
        cassette.Request, t_end=ZERO + 30 * MS + 1
    ),
    "the request complete before its headers": changed(cassette.Request, t=ZERO + 1),
    "the response after the first piece": changed(cassette.Response, t=ZERO + 10_000 * MS),
    "the response before the request": changed(cassette.Response, t=ZERO - 1),
    "the end before the headers": changed(cassette.End, t=ZERO + 29 * MS),
    "the end before the last piece": changed(cassette.End, t=ZERO + 262 * MS - 1),
}


@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_times_in_an_order_that_no_recorder_writes_are_damage_and_no_number(tmp_path, name):
    whole = records(PIECES, exchange=1)
    path = write(tmp_path / "a.tape", OUT_OF_ORDER[name], whole)
    recording = load(path)
    check(recording)
    first, second = recording.as_dict()["streams"]
    assert (first["outcome"], second["outcome"]) == ("damaged", "complete")
    assert {first[name] for name in MEASURED} == {None}
    assert {first[f"{name}_why"] for name in MEASURED} == {"damaged"}
    assert recording.events.loc[recording.events["exchange"] == 0, "t_ms"].isna().all()
    assert recording.exchanges["started_at"].isna().tolist() == [True, False]
    assert recording.lost == (
        f"{path}: exchange 0 of section 0: its times go back, which no recorder writes; it is not measured",
    )
    assert recording.slo(ttft_ms=500).loc["all", ["sent", "met"]].tolist() == [2, 1]
    assert run("analyze", path).exit_code == 3


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        (len(PIECES) + 2, "2 of its pieces are missing"),
        (len(PIECES) + 1, "1 of its pieces is missing"),
        (len(PIECES), None),
        (len(PIECES) - 1, "it has more pieces than its end record says"),
    ],
)
def test_pieces_are_as_many_as_the_end_record_says(tmp_path, chunks, says):
    recording = load(write(tmp_path / "a.tape", changed(cassette.End, chunks=chunks)))
    check(recording)
    (row,) = recording.as_dict()["streams"]
    assert row["outcome"] == ("complete" if says is None else "damaged")
    assert [says in line for line in recording.lost] == [True] * (says is not None)


def test_an_answer_that_began_before_the_request_was_complete_is_measured_as_recorded(tmp_path):
    """A recorder's request is then complete when the answer begins."""
    early = changed(cassette.Request, t_end=ZERO + 30 * MS)
    recording = load(write(tmp_path / "a.tape", early))
    check(recording)
    (row,) = recording.as_dict()["streams"]
    assert (row["outcome"], row["headers_ms"], row["ttft_ms"], recording.lost) == ("complete", 0, 170, ())


def test_headers_of_others_that_came_before_the_request_was_complete_are_not_timed(tmp_path):
    early = changed(cassette.Request, t_end=ZERO + 10_000 * MS, times="headers")
    recording = load(write(tmp_path / "a.tape", early))
    check(recording)
    (row,) = recording.as_dict()["streams"]
    assert (row["outcome"], row["output_tokens"], recording.lost) == ("complete", 3, ())
    for name in ("headers_ms", "end_ms", "ttft_ms"):
        assert (row[name], row[f"{name}_why"]) == (None, "not-timed")


@pytest.mark.parametrize(
    ("times", "connect_ms"),
    [
        ((-30 * MS, -20 * MS, 0), 30),
        ((-30 * MS, -20 * MS, None), 10),
        ((-30 * MS, None, 0), 30),
        ((0, 0, 0), 0),
        ((1000 * MS, 0, None), None),
        ((1000 * MS, 0, 2000 * MS), None),
        ((0, 30 * MS, 20 * MS), None),
        ((0, None, None), None),
        ((None, 3, 4), None),
    ],
)
def test_a_connection_that_a_wall_clock_cannot_time_has_no_duration(tmp_path, times, connect_ms):
    """The wall clock may be set while a connection is opened: that is no damage."""
    recording = load(write(tmp_path / "a.tape", connected(*times)))
    (row,) = recording.as_dict()["exchanges"]
    assert (row["connect_ms"], row["outcome"], recording.lost) == (connect_ms, "complete", ())


def interleaved(one, other):
    return [each for pair in zip(one, other, strict=True) for each in pair]


TWICE = {
    "one after the other": [*RECORDS, *records(PIECES)],
    "mixed": interleaved(RECORDS, records(PIECES)),
    "mixed and never ended": interleaved(RECORDS[:-1], records(PIECES)[:-1]),
    "a second request": [RECORDS[0], *RECORDS],
    "a second response": [RECORDS[0], RECORDS[1], *RECORDS[1:]],
}


@pytest.mark.parametrize("definitions", [None, "vllm"])
@pytest.mark.parametrize("name", TWICE)
def test_nothing_is_measured_of_a_number_that_is_used_twice(tmp_path, name, definitions):
    path = write(tmp_path / "a.tape", records(PIECES, exchange=3), TWICE[name])
    recording = load(path, definitions=definitions)
    rows = [row for row in recording.as_dict()["streams"] if row["exchange"] == 0]
    assert rows
    assert {row["outcome"] for row in rows} == {"damaged"}
    assert {row[name] for row in rows for name in schema.MEASURES} == {None}
    assert len(recording.lost) == len(rows)
    assert all("exchange 0 of section 0: " in line for line in recording.lost)
    assert recording.deadline_miss_rate(10).index.get_level_values("exchange").tolist() == [3]
    assert recording.throughput().loc["all", ["requests", "output_tokens"]].tolist() == [1, 3]
    assert run("analyze", path).exit_code == 3


def test_the_same_number_in_two_sections_is_no_damage(tmp_path):
    recording = load(write(tmp_path / "a.tape", RECORDS, [SECTION], RECORDS))
    assert (recording.streams["outcome"] == "complete").all()
    assert recording.lost == ()


@settings(
    max_examples=int(os.environ.get("TOKENTAPE_FUZZ", "40")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.lists(st.sampled_from([-50, -1, 0, 0, 30, 200, 261, 262, 400]), min_size=5, max_size=5),
            st.sampled_from(["all", "all", "headers", "none"]),
            st.sets(st.integers(0, 8), max_size=2),
        ),
        max_size=5,
    ),
    st.randoms(use_true_random=False),
)
def test_no_times_and_numbers_make_a_number_that_is_not_so(tmp_path, exchanges, random):
    """Times in any order, numbers used again, records lost; one by one or all at once, whole or in parts."""
    queues = []
    for number, (t, t_end, answered, ended, step), known, lost in exchanges:
        pieces = [(200 * MS + at * step * MS, piece) for at, (_, piece) in enumerate(PIECES)]
        request, response, *chunks, end = records(pieces, exchange=number)
        request = replace(request, t=ZERO + t * MS, t_end=ZERO + t_end * MS, times=known)
        response = replace(response, t=ZERO + answered * MS)
        end = replace(end, t=ZERO + ended * MS)
        made = [request, response, *chunks, end]
        queues.append([record for at, record in enumerate(made) if at not in lost])
    together, found = random.random() < 0.5, []
    while queues := [each for each in queues if each]:
        found.append((random.choice(queues) if together else queues[0]).pop(0))
    path = tmp_path / "a.tape"
    path.write_bytes(raw(SECTION, *found))
    recording = load(path, progress=False)
    check(recording)
    parts = [load_parts([part], options_of(None, None, None, None)) for part in parts_of(str(path), 1)]
    assert [line for part in parts for line in part.lost] == list(recording.lost)
    assert [name for part in parts for name in part.streams["outcome"]] == list(recording.streams["outcome"])
