"""What was imported without times has text, tokens and outcomes, and never a time of 0."""

import pytest
from msgspec.structs import replace

from tests.analysis.tapes import DONE, MS, ZERO, chunk, data, records, usage_chunk, write
from tokentape import cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis import load

PIECES = [
    (200 * MS, data(chunk({"role": "assistant"})) + data(chunk({"content": "a"}))),
    (230 * MS, data(chunk({"content": "bc"})) + data(chunk(finish="stop"))),
    (231 * MS, data(usage_chunk(9, 3)) + DONE),
]
AROUND = ("headers_ms", "end_ms")


def imported(times, **options):
    """The records of an exchange as an importer writes them: unknown times are 0, the body is one piece."""
    request, response, *chunks, end = records(PIECES, end_ns=240 * MS, **options)
    body = b"".join(each.data for each in chunks)
    found = [
        replace(request, times=times),
        response,
        cassette.Chunk(exchange=request.exchange, t=0, data=body),
        replace(end, chunks=1, bytes=len(body)),
    ]
    if times == "none":
        found[0] = replace(found[0], t=0, t_end=0)
        found[1] = replace(found[1], t=0)
        found[3] = replace(found[3], t=0)
    return found


@pytest.fixture(params=["headers", "none"])
def times(request):
    return request.param


@pytest.fixture
def loaded(times, tmp_path):
    return load(write(tmp_path / "a.tape", imported(times)))


def test_everything_that_a_stopwatch_would_say_is_missing_for_that_reason(loaded, times):
    (row,) = loaded.as_dict()["streams"]
    for name in schema.MEASURES:
        if name in schema.COUNTED or (times == "headers" and name in AROUND):
            assert row[f"{name}_why"] is None, name
            continue
        assert row[name] is None, name
        absent = {"first_reasoning_ms": "no-reasoning", "first_tool_call_ms": "no-tool-call"}
        assert row[f"{name}_why"] == absent.get(name, "not-timed"), name


def test_times_of_the_exchange_are_there_where_they_are_known(loaded, times):
    (row,) = loaded.as_dict()["exchanges"]
    if times == "headers":
        assert (row["headers_ms"], row["end_ms"]) == (30, 240)
        assert row["started_at"] is not None
        assert loaded.exchanges["started_at"].iloc[0].value == 1_790_000_000_000_000_000 + ZERO
    else:
        assert (row["headers_ms"], row["end_ms"], row["started_at"]) == (None, None, None)


def test_text_tokens_outcome_and_counts_are_there(loaded):
    (row,) = loaded.as_dict()["streams"]
    assert (row["outcome"], row["finish_reason"], row["model"]) == ("complete", "stop", "m-1")
    assert (row["output_tokens"], row["prompt_tokens"], row["tokens_from"]) == (3, 9, "usage")
    assert (row["token_events"], row["text_chars"], row["events"], row["reads"]) == (2, 3, 6, 1)
    assert loaded.events["text"].tolist() == ["", "a", "bc", "", "", ""]
    assert loaded.events["is_token"].tolist() == [False, True, True, False, False, False]


def test_tables_of_events_and_reads_have_no_times_and_no_gaps(loaded):
    for name in ("t_ms", "gap_ms", "read_gap_ms"):
        assert loaded.events[name].isna().all(), name
    assert not loaded.events["coalesced"].any()
    for name in ("t_ms", "read_gap_ms"):
        assert loaded.reads[name].isna().all(), name


def test_summaries_leave_it_out_and_say_why(loaded):
    summary = loaded.summary()
    assert summary.loc["ttft_ms", "n"] == 0
    assert summary.loc["ttft_ms", "why"] == summary.loc["gap_ms", "why"] == "not-timed"
    assert summary.loc["output_tokens", "p50"] == 3
    assert loaded.stalls(over_ms=0).empty


def test_a_recording_beside_it_keeps_its_numbers(times, tmp_path):
    recorded = load(write(tmp_path / "a.tape", records(PIECES)))
    both = load(write(tmp_path / "b.tape", imported(times), records(PIECES, exchange=1)))
    assert both.summary().loc["ttft_ms", "n"] == 1
    assert both.summary().loc["ttft_ms", "p50"] == recorded.summary().loc["ttft_ms", "p50"] == 200
    assert both.summary().loc["gap_ms"].drop("why").equals(recorded.summary().loc["gap_ms"].drop("why"))
    assert both.events.loc[both.events["exchange"] == 1, "t_ms"].notna().all()


@pytest.mark.parametrize("status", [429, 200])
def test_an_answer_that_was_not_streamed_says_what_it_would(times, tmp_path, status):
    request, response, _, end = imported(times, status=status, content_type="application/json")
    body = cassette.Chunk(exchange=0, t=0, data=b'{"error": {"message": "no"}}')
    row = load(write(tmp_path / "a.tape", [request, response, body, replace(end, bytes=28)])).as_dict()[
        "streams"
    ][0]
    assert row["outcome"] == ("http-error" if status == 429 else "error-in-stream")
    assert row["ttft_ms_why"] == ("http-error" if status == 429 else "not-a-stream")
    assert row["first_byte_ms_why"] == "not-timed"


def test_the_table_says_how_many_streams_have_no_times(times, tmp_path):
    from click.testing import CliRunner

    from tokentape.cli import main

    path = write(tmp_path / "a.tape", imported(times), records(PIECES, exchange=1))
    out = CliRunner().invoke(main, ["analyze", str(path)]).stdout
    assert "not timed: 1 stream, from a format without such times" in out
    assert (
        "not timed"
        not in CliRunner().invoke(main, ["analyze", str(write(tmp_path / "b.tape", records(PIECES)))]).stdout
    )
