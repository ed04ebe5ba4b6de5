"""Cases that every number must survive: 50 tokens, 20 ms apart, the first at 200 ms, the last at 1,180 ms."""

from typing import Any

import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, recording, stream, usage, usage_chunk

FIRST, GAP, TOKENS = 200 * MS, 20 * MS, 50
LAST = FIRST + (TOKENS - 1) * GAP
TIMES = [FIRST + number * GAP for number in range(TOKENS)]
ROLE = (50 * MS, data(chunk({"role": "assistant", "content": ""})))
STOP = (1190 * MS, data(chunk(finish="stop")))
USAGE = (1195 * MS, data(usage_chunk(9, TOKENS)))
END = (1200 * MS, DONE)


def tokens(key: str = "content", times: list[int] = TIMES) -> list[tuple[int, bytes]]:
    return [(ns, data(chunk({key: " a"}))) for ns in times]


def assert_true_times(row: dict[str, Any]) -> None:
    assert row["ttft_ms"] == 200
    assert row["last_token_ms"] == 1180
    assert row["itl_ms"] == 20
    assert row["gap_p50_ms"] == row["gap_p99_ms"] == row["gap_max_ms"] == 20
    assert row["tokens_per_s"] == 50
    assert row["output_tokens"] == row["token_events"] == TOKENS
    assert row["outcome"] == "complete"
    assert row["e2e_ms"] == 1180


def test_role_only_chunk_is_no_token(tmp_path):
    row = stream(tmp_path, [ROLE, *tokens(), STOP, USAGE, END])
    assert_true_times(row)
    assert row["first_event_ms"] == row["first_byte_ms"] == 50
    assert (row["finish_ms"], row["done_ms"], row["end_ms"]) == (1190, 1200, 1200)
    assert row["tokens_from"] == "usage"


def test_empty_content_without_a_role_is_no_token(tmp_path):
    empty = (100 * MS, data(chunk({"content": ""})))
    assert_true_times(stream(tmp_path, [ROLE, empty, *tokens(), STOP, USAGE, END]))


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_reasoning_is_generated_text_and_content_has_its_own_clock(tmp_path, key):
    row = stream(tmp_path, [ROLE, *tokens(key, TIMES[:25]), *tokens(times=TIMES[25:]), STOP, USAGE, END])
    assert_true_times(row)
    assert row["first_reasoning_ms"] == 200
    assert row["first_content_ms"] == 700
    assert (row["first_tool_call_ms"], row["first_tool_call_ms_why"]) == (None, "no-tool-call")


def test_tool_call_alone_has_every_time(tmp_path):
    def call(function: dict[str, str]) -> bytes:
        return data(chunk({"tool_calls": [{"index": 0, "function": function}]}))

    pieces = [(TIMES[0], call({"name": "f", "arguments": ""}))]
    pieces += [(ns, call({"arguments": "{ "})) for ns in TIMES[1:]]
    row = stream(tmp_path, [ROLE, *pieces, (1190 * MS, data(chunk(finish="tool_calls"))), USAGE, END])
    assert_true_times(row)
    assert row["first_tool_call_ms"] == 200
    assert (row["first_content_ms"], row["first_content_ms_why"]) == (None, "no-content")
    assert row["text_chars"] == 1 + 49 * 2


def test_usage_chunk_without_choices_counts_tokens_and_makes_no_gap(tmp_path):
    made = recording(tmp_path, [*tokens(), STOP, (1195 * MS, data(usage_chunk(9, 77))), END])
    (row,) = made.as_dict()["streams"]
    assert (row["output_tokens"], row["prompt_tokens"], row["tokens_from"]) == (77, 9, "usage")
    assert row["itl_ms"] == 980 / 76
    assert made.events["gap_ms"].count() == 49
    assert made.events["gap_ms"].max() == 20


def test_five_events_in_one_read_are_coalesced(tmp_path):
    reads = [(FIRST + n * 100 * MS, data(chunk({"content": "a"})) * 5) for n in range(10)]
    made = recording(tmp_path, [ROLE, *reads, STOP, END])
    events = made.events[made.events["is_token"]]
    assert events["coalesced"].tolist() == ([False] + [True] * 4) * 10
    assert events.loc[events["coalesced"], "gap_ms"].tolist() == [0] * 40
    assert events.loc[~events["coalesced"], "gap_ms"].tolist()[1:] == [100] * 9
    assert made.reads.loc[made.reads["is_token"], "read_gap_ms"].tolist()[1:] == [100] * 9
    assert made.reads["events"].tolist() == [1, *[5] * 10, 1, 1]
    (row,) = made.as_dict()["streams"]
    assert row["read_gap_p50_ms"] == 100
    assert row["gap_p50_ms"] == 0
    summary = made.summary()
    assert summary.loc["gap_ms", ["p50", "n"]].tolist() == [0, 49]
    assert summary.loc["read_gap_ms", ["p50", "p99", "n"]].tolist() == [100, 100, 9]


def test_five_tokens_in_one_delta_share_its_gap_but_not_its_itl(tmp_path):
    deltas = [(FIRST + n * 100 * MS, data(chunk({"content": "a b c d e"}))) for n in range(10)]
    row = stream(tmp_path, [ROLE, *deltas, STOP, USAGE, END])
    assert row["last_token_ms"] == 1100
    assert row["gap_p50_ms"] == row["gap_max_ms"] == 100
    assert row["itl_ms"] == 900 / 49
    assert (row["token_events"], row["output_tokens"]) == (10, 50)


def test_two_choices_in_each_chunk_are_two_streams(tmp_path):
    def both(ns: int) -> tuple[int, bytes]:
        made = chunk({"content": "a"})
        made["choices"].append({"index": 1, "delta": {"content": "bc"}, "finish_reason": None})
        return ns, data(made)

    ends = [(1190 * MS, data(chunk(finish="stop")) + data(chunk(finish="length", index=1)))]
    rows = recording(
        tmp_path, [*map(both, TIMES), *ends, (1195 * MS, data(usage_chunk(9, 100))), END]
    ).as_dict()
    assert [row["choice"] for row in rows["streams"]] == [0, 1]
    assert [row["finish_reason"] for row in rows["streams"]] == ["stop", "length"]
    assert [row["text_chars"] for row in rows["streams"]] == [50, 100]
    for row in rows["streams"]:
        assert_true_times(row)
        assert row["tokens_from"] == "chunks"
    assert rows["exchanges"][0]["output_tokens"] == 100


def test_two_choices_that_interleave_are_two_streams(tmp_path):
    later = 7 * MS
    pieces = [(ns, data(chunk({"content": "a"}))) for ns in TIMES]
    pieces += [(ns + later, data(chunk({"content": "b"}, index=1))) for ns in TIMES]
    ends = [(1195 * MS, data(chunk(finish="stop"))), (1199 * MS, data(chunk(finish="stop", index=1)))]
    made = recording(tmp_path, [*sorted(pieces), *ends, END])
    first, second = made.as_dict()["streams"]
    assert_true_times(first)
    assert (second["ttft_ms"], second["last_token_ms"], second["itl_ms"]) == (207, 1187, 20)
    assert second["gap_p50_ms"] == second["gap_max_ms"] == 20
    assert (first["finish_ms"], second["finish_ms"]) == (1195, 1199)
    gaps = made.events.groupby("choice")["gap_ms"]
    assert gaps.count().tolist() == [49, 49]
    assert set(made.events["gap_ms"].dropna()) == {20}


def test_comments_change_nothing_and_are_counted(tmp_path):
    comments = [(ns - 3 * MS, b": still there\n\n") for ns in TIMES]
    made = recording(tmp_path, sorted([ROLE, *tokens(), *comments, STOP, USAGE, END]))
    assert_true_times(made.as_dict()["streams"][0])
    assert made.exchanges["comments"].tolist() == [50]
    assert made.exchanges["events"].tolist() == [54]


@pytest.mark.parametrize(
    "error",
    [
        b'data: {"error": {"message": "overloaded", "code": 502}}\n\n',
        b'event: error\ndata: {"message": "overloaded"}\n\n',
        b"event: error\ndata: overloaded\n\n",
        b'data: {"object": "error", "message": "overloaded"}\n\n',
    ],
)
@pytest.mark.parametrize("ending", [[], [END]])
def test_an_error_in_a_200_is_an_error(tmp_path, error, ending):
    made = recording(tmp_path, [ROLE, *tokens(times=TIMES[:25]), (705 * MS, error), *ending])
    (row,) = made.as_dict()["streams"]
    assert row["outcome"] == "error-in-stream"
    assert (row["ttft_ms"], row["token_events"]) == (200, 25)
    assert (row["e2e_ms"], row["e2e_ms_why"]) == (None, "error-in-stream")
    assert (row["finish_ms"], row["finish_ms_why"]) == (None, "error-in-stream")
    if error.startswith(b"data"):
        assert made.exchanges["error"].tolist() == ["overloaded"]


def test_error_beside_a_finish_reason_is_an_error(tmp_path):
    beside = chunk({"content": ""}, "stop", error={"message": "Provider returned error"})
    assert stream(tmp_path, [*tokens(), (1190 * MS, data(beside)), END])["outcome"] == "error-in-stream"


@pytest.mark.parametrize("reason", ["upstream-error", "client-closed", "recorder-stopped"])
def test_cut_stream_keeps_what_was_seen_and_has_no_end(tmp_path, reason):
    row = stream(tmp_path, [ROLE, *tokens(times=TIMES[:25])], end=reason, end_ns=690 * MS)
    assert row["outcome"] == reason
    assert (row["token_events"], row["output_tokens"], row["tokens_from"]) == (25, 25, "chunks")
    assert (row["ttft_ms"], row["last_token_ms"], row["itl_ms"], row["end_ms"]) == (200, 680, 20, 690)
    for name in ("finish_ms", "done_ms", "e2e_ms", "prompt_tokens"):
        assert (row[name], row[f"{name}_why"]) == (None, reason)


def test_recorder_that_was_killed_is_not_the_providers_fault(tmp_path):
    made = recording(tmp_path, [ROLE, *tokens(times=TIMES[:25])], end=None)
    (row,) = made.as_dict()["streams"]
    assert row["outcome"] == "recorder-stopped"
    assert (row["end_ms"], row["end_ms_why"]) == (None, "recorder-stopped")
    assert (row["ttft_ms"], row["token_events"]) == (200, 25)
    assert made.lost == ()


def test_silent_end_is_truncated(tmp_path):
    row = stream(tmp_path, [ROLE, *tokens()])
    assert row["outcome"] == "truncated"
    assert (row["finish_ms_why"], row["done_ms_why"], row["e2e_ms_why"]) == ("truncated",) * 3


def test_without_end_mark_and_usage_a_finish_completes_and_chunks_are_counted(tmp_path):
    row = stream(tmp_path, [ROLE, *tokens(), STOP])
    assert_true_times(row)
    assert row["tokens_from"] == "chunks"
    assert (row["done_ms"], row["done_ms_why"]) == (None, "no-end-mark")
    assert (row["prompt_tokens"], row["prompt_tokens_why"]) == (None, "no-usage")


def test_late_usage_and_end_mark_do_not_slow_the_tokens(tmp_path):
    late = [(1680 * MS, data(usage_chunk(9, 50))), (1680 * MS, DONE)]
    row = stream(tmp_path, [ROLE, *tokens(), STOP, *late])
    assert_true_times(row)
    assert row["done_ms"] == 1680


@pytest.mark.parametrize(
    "reframed",
    [
        lambda event: event.replace(b"\n", b"\r\n"),
        lambda event: event.replace(b"data: ", b"data:"),
        lambda event: b"event: message\n" + event,
        lambda event: b"id: 7\n" + event,
    ],
    ids=["CRLF", "no-space", "event-line", "id-line"],
)
def test_framing_changes_nothing(tmp_path, reframed):
    pieces = [(ns, reframed(event)) for ns, event in [ROLE, *tokens(), STOP, USAGE, END]]
    assert_true_times(stream(tmp_path, pieces))


def test_one_stall_is_in_the_summary_with_its_position(tmp_path):
    times = TIMES[:25] + [ns + 400 * MS for ns in TIMES[25:]]
    made = recording(
        tmp_path, [ROLE, *tokens(times=times), (1600 * MS, data(chunk(finish="stop"))), (1601 * MS, DONE)]
    )
    (row,) = made.as_dict()["streams"]
    assert (row["gap_p50_ms"], row["gap_max_ms"]) == (20, 420)
    assert made.summary().loc["gap_ms", "max"] == 420
    stalls = made.stalls(over_ms=100)
    assert stalls[["token_event", "gap_ms", "t_ms"]].values.tolist() == [[25, 420, 1100]]


def test_stepfun_finishes_at_its_last_chunk_and_bills_every_token(tmp_path):
    pieces = [
        (ns, data(chunk({"role": "", "content": "春"}, "", usage=usage(83, 3 * (number + 1)))))
        for number, ns in enumerate(TIMES)
    ]
    last = (1190 * MS, data(chunk({"role": "", "content": ""}, "stop", usage=usage(83, 150))))
    made = recording(tmp_path, [*pieces, last, END])
    (row,) = made.as_dict()["streams"]
    assert (row["finish_ms"], row["finish_reason"], row["outcome"]) == (1190, "stop", "complete")
    assert (row["output_tokens"], row["prompt_tokens"], row["tokens_from"]) == (150, 83, "usage-per-chunk")
    assert row["itl_ms"] == 980 / 149
    assert row["gap_p50_ms"] == 20
    assert made.events.loc[made.events["is_token"], "tokens"].tolist() == [3] * 50


def test_times_are_exact_to_the_nanosecond(tmp_path):
    times = [200_000_001, 200_000_003, 220_000_006]
    made = recording(tmp_path, [*tokens(times=times), (220_000_007, data(chunk(finish="stop")))])
    (row,) = made.as_dict()["streams"]
    assert (row["ttft_ms"], row["last_token_ms"], row["finish_ms"]) == (200.000001, 220.000006, 220.000007)
    assert row["itl_ms"] == 20_000_005 / 2_000_000
    assert made.events["gap_ms"].dropna().tolist() == [0.000002, 20.000003]
    assert row["gap_p50_ms"] == 10.0000025
    assert made.streams["started_at"].dt.nanosecond.tolist() == [123]
