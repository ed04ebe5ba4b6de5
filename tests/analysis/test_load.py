import gc
import gzip
import json
import re
import zlib

import brotli
import msgspec
import pandas as pd
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.analysis.tapes import (
    DONE,
    MS,
    SECTION,
    ZERO,
    chunk,
    data,
    recording,
    records,
    stream,
    usage,
    usage_chunk,
    write,
)
from tokentape import cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis import load
from tokentape.analysis.loading._load import load_one
from tokentape.analysis.measuring._reading import AS_IT_IS

HELLO = [
    (200 * MS, data(chunk({"content": "a"}))),
    (220 * MS, data(chunk({"content": "b"}, "stop"))),
    (221 * MS, DONE),
]
TABLES = {
    "exchanges": schema.EXCHANGES,
    "streams": schema.STREAMS,
    "events": schema.EVENTS,
    "reads": schema.READS,
}


def dtypes(table):
    return {name: str(dtype) for name, dtype in table.dtypes.items()}


@pytest.mark.parametrize("exchanges", [[], [records(HELLO)], [records([], status=None, end="client-closed")]])
def test_tables_have_the_same_columns_and_types_whatever_is_in_them(tmp_path, exchanges):
    made = load(write(tmp_path / "a.tape", *exchanges))
    for name, types in TABLES.items():
        found = dtypes(getattr(made, name))
        assert list(found) == list(types)
        text = {"str", "string"}  # pandas 3, pandas 2
        assert all(
            found[column] == dtype or (dtype == "str" and found[column] in text)
            for column, dtype in types.items()
        )


def test_every_missing_number_of_a_stream_has_a_reason_and_no_other_has(tmp_path):
    exchanges = [
        records(HELLO),
        records([], exchange=1, status=None, end="client-closed"),
        records([(5, b'{"error":{"message":"m"}}')], exchange=2, status=429, content_type="application/json"),
        records([(5, b'{"choices":[]}')], exchange=3, content_type="application/json"),
        records([(5, data(chunk({"role": "assistant"}, "stop")))], exchange=4),
        records([(5, b"data: x\n\n")], exchange=5, path=b"/other"),
        records(HELLO[:1], exchange=6, end=None),
        records([], exchange=7),
        records([(5, b"")], exchange=8, content_type="text/html"),
    ]
    streams = load(write(tmp_path / "a.tape", *exchanges)).streams
    assert len(streams) == 9
    for name in schema.MEASURES:
        assert (streams[name].isna() == streams[f"{name}_why"].notna()).all(), name


def test_http_error_has_no_token_for_that_reason(tmp_path):
    body = b'{"error":{"message":"slow down"}}'
    made = recording(tmp_path, [(40 * MS, body)], status=429, content_type="application/json")
    (row,) = made.as_dict()["streams"]
    assert (row["outcome"], row["status"], row["first_byte_ms"]) == ("http-error", 429, 40)
    assert (row["ttft_ms"], row["ttft_ms_why"]) == (None, "http-error")
    assert (row["output_tokens"], row["output_tokens_why"]) == (None, "http-error")
    assert made.exchanges["error"].tolist() == ["slow down"]


def test_answer_that_was_not_streamed_has_a_bill_and_no_clocks_of_tokens(tmp_path):
    message = {"role": "assistant", "content": "four words of text"}
    body = {
        "model": "m-1",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": usage(9, 4),
    }
    whole = json.dumps(body).encode()
    row = stream(tmp_path, [(900 * MS, whole[:20]), (901 * MS, whole[20:])], content_type="application/json")
    assert (row["outcome"], row["finish_reason"], row["model"]) == ("complete", "stop", "m-1")
    assert (row["output_tokens"], row["prompt_tokens"], row["tokens_from"]) == (4, 9, "usage")
    assert row["text_chars"] == len("four words of text")
    for name in ("first_event_ms", "ttft_ms", "last_token_ms", "itl_ms", "gap_p50_ms", "finish_ms", "e2e_ms"):
        assert (row[name], row[f"{name}_why"]) == (None, "not-a-stream")
    assert (row["first_byte_ms"], row["end_ms"]) == (900, 901)


def test_error_that_was_not_streamed_under_200_is_an_error(tmp_path):
    row = stream(tmp_path, [(5, b'{"error":{"message":"m"}}')], content_type="application/json")
    assert row["outcome"] == "error-in-stream"


def test_event_stream_is_one_whatever_its_content_type(tmp_path):
    assert stream(tmp_path, HELLO, content_type="application/json")["ttft_ms"] == 200


def test_unknown_stream_has_events_and_reads_and_no_tokens(tmp_path):
    made = recording(tmp_path, [(5 * MS, b"data: x\n\ndata: y\n\n"), (6 * MS, b": c\n\n")], path=b"/other")
    (row,) = made.as_dict()["streams"]
    assert (row["dialect"], row["outcome"], row["events"], row["first_event_ms"]) == ("sse", "complete", 2, 5)
    assert (row["ttft_ms"], row["ttft_ms_why"]) == (None, "unknown-dialect")
    assert made.reads["events"].tolist() == [2, 0]
    assert made.events["choice"].isna().all()


def test_dialect_can_be_named(tmp_path):
    path = write(tmp_path / "a.tape", records(HELLO))
    assert load(path, dialect="sse").streams["ttft_ms_why"].tolist() == ["unknown-dialect"]
    with pytest.raises(ValueError, match="openai-chat"):
        load(path, dialect="nope")


def test_names_come_from_request_and_answer(tmp_path):
    (row,) = recording(tmp_path, HELLO).as_dict()["exchanges"]
    assert (row["model_requested"], row["model"]) == ("asked-for", "m-1")
    assert (row["host"], row["path"], row["method"]) == ("api.example", "/v1/chat/completions", "POST")
    assert row["started_at"] == "2026-09-21T14:13:27.000000123+00:00"


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("zstd", zstandard.ZstdCompressor().compress),
    ],
)
def test_content_encodings_are_undone(tmp_path, encoding, encode):
    body = encode(b"".join(event for _, event in HELLO))
    made = recording(tmp_path, [(200 * MS, body[:9]), (300 * MS, body[9:])], encoding=encoding)
    (row,) = made.as_dict()["streams"]
    assert (row["text_chars"], row["bytes"], row["ttft_ms"]) == (2, len(body), 300)
    assert made.reads["decoded_bytes"].sum() == sum(len(event) for _, event in HELLO)


@pytest.mark.parametrize("encoding", ["gzip", "compress"])
def test_body_that_is_not_of_its_encoding_is_lost_and_said_so(tmp_path, encoding):
    made = recording(tmp_path, HELLO, encoding=encoding)
    assert made.streams["ttft_ms_why"].tolist() == ["undecodable"]
    assert len(made.lost) == 1
    assert "exchange 0" in made.lost[0]


def test_event_whose_blank_line_never_came_is_an_event(tmp_path):
    row = stream(tmp_path, [*HELLO[:2], (230 * MS, b"data: [DONE]")])
    assert (row["done_ms"], row["outcome"]) == (230, "complete")


def test_half_an_event_at_a_cut_is_no_token(tmp_path):
    row = stream(tmp_path, [HELLO[0], (220 * MS, HELLO[1][1][:-30])], end="upstream-error")
    assert (row["token_events"], row["last_token_ms"], row["outcome"]) == (1, 200, "upstream-error")


@pytest.mark.parametrize("end", ["client-closed", "upstream-error", "recorder-stopped", None])
def test_finish_completes_a_stream_however_the_connection_ended(tmp_path, end):
    row = stream(tmp_path, HELLO[:2], end=end)
    assert (row["outcome"], row["e2e_ms"], row["finish_ms"]) == ("complete", 220, 220)


def test_clients_that_leave_before_the_answer_are_counted(tmp_path):
    row = stream(tmp_path, [], status=None, end="client-closed")
    assert (row["outcome"], row["ttft_ms_why"], row["headers_ms_why"]) == ("client-closed",) * 3


def test_one_event_of_many_tokens_has_no_itl(tmp_path):
    row = stream(
        tmp_path, [(200 * MS, data(chunk({"content": "abc"}, "stop"))), (201 * MS, data(usage_chunk(9, 24)))]
    )
    assert (row["itl_ms"], row["itl_ms_why"]) == (None, "single-read")
    assert (row["tokens_per_s"], row["tokens_per_s_why"]) == (None, "single-read")
    assert (row["gap_p50_ms"], row["gap_p50_ms_why"]) == (None, "single-event")


def test_single_token_has_no_itl(tmp_path):
    row = stream(tmp_path, [HELLO[0], *HELLO[2:]])
    assert (row["output_tokens"], row["itl_ms"], row["itl_ms_why"]) == (1, None, "single-token")


def test_role_and_nothing_else_is_no_token_though_it_is_billed(tmp_path):
    pieces = [(5, data(chunk({"role": "assistant"}))), (6, data(chunk(finish="length", usage=usage(9, 16))))]
    row = stream(tmp_path, pieces)
    assert (row["ttft_ms"], row["ttft_ms_why"], row["output_tokens"]) == (None, "role-only", 16)
    assert (row["itl_ms"], row["itl_ms_why"]) == (None, "role-only")


def test_hidden_reasoning_is_billed_and_not_in_the_itl(tmp_path):
    bill = {**usage(9, 103), "completion_tokens_details": {"reasoning_tokens": 100}}
    times = [1000 * MS, 1020 * MS, 1040 * MS]
    pieces = [(ns, data(chunk({"content": "a"}))) for ns in times]
    row = stream(tmp_path, [*pieces, (1050 * MS, data(chunk(finish="stop", usage=bill)))])
    assert (row["output_tokens"], row["hidden_tokens"]) == (103, 100)
    assert (row["itl_ms"], row["tokens_per_s"]) == (20, 50)


def test_bill_of_nothing_for_text_that_was_seen_is_no_bill(tmp_path):
    row = stream(tmp_path, [*HELLO[:2], (230 * MS, data(usage_chunk(0, 0)))])
    assert (row["output_tokens"], row["tokens_from"]) == (2, "chunks")


def test_port_that_an_import_does_not_know_is_missing(tmp_path):
    request, *others = records([], status=204)
    unknown = msgspec.structs.replace(request, port=0, exchange=1)
    later = [msgspec.structs.replace(each, exchange=1) for each in others]
    found = load(write(tmp_path / "a.tape", [request, *others], [unknown, *later]))
    assert found.exchanges["port"].tolist() == [443, pd.NA]


def test_bill_of_a_cut_stream_that_more_text_followed_is_not_used(tmp_path):
    early = (100 * MS, data(usage_chunk(9, 1)))
    row = stream(tmp_path, [early, HELLO[0], (240 * MS, data(chunk({"content": "c"})))], end="client-closed")
    assert (row["output_tokens"], row["tokens_from"]) == (2, "chunks")


def test_several_files_and_sections_are_rows_of_the_same_tables(tmp_path):
    one = write(tmp_path / "one.tape", records(HELLO, exchange=3), [SECTION], records(HELLO, exchange=0))
    two = write(tmp_path / "two.tape", records(HELLO, exchange=1), records(HELLO, exchange=0))
    made = load([one, str(two)])
    keys = [(str(one), 0, 3), (str(one), 1, 0), (str(two), 0, 0), (str(two), 0, 1)]
    for name in ("exchanges", "streams"):
        table = getattr(made, name)
        assert list(zip(table["cassette"], table["section"], table["exchange"], strict=True)) == keys
    for name, each in (("events", 3), ("reads", 3)):
        table = getattr(made, name)
        found = list(zip(table["cassette"], table["section"], table["exchange"], strict=True))
        assert found == [key for key in keys for _ in range(each)]
        number = table["event" if name == "events" else "read"]
        assert number.tolist() == [0, 1, 2] * 4
    assert made.events["gap_ms"].count() == 4


def damaged(path, needle):
    raw = bytearray(path.read_bytes())
    raw[raw.index(needle)] ^= 1
    path.write_bytes(bytes(raw))
    return path


def test_exchange_that_lost_a_piece_is_not_measured_and_the_others_are(tmp_path):
    pieces = [HELLO[0], (210 * MS, data(chunk({"content": "LOST"}))), *HELLO[1:]]
    path = write(tmp_path / "a.tape", records(pieces), records(HELLO, exchange=1))
    made = load(damaged(path, b"LOST"))
    first, second = made.as_dict()["streams"]
    assert (first["outcome"], first["ttft_ms"], first["ttft_ms_why"]) == ("damaged", None, "damaged")
    assert (first["gap_p50_ms"], first["output_tokens"], first["e2e_ms"]) == (None, None, None)
    assert made.events.loc[made.events["exchange"] == 0, "gap_ms"].isna().all()
    assert made.reads.loc[made.reads["exchange"] == 0, "read_gap_ms"].isna().all()
    assert (second["outcome"], second["ttft_ms"], second["gap_p50_ms"]) == ("complete", 200, 20)
    assert made.exchanges["lost_chunks"].tolist() == [1, 0]
    assert [bool(re.search("damaged at byte|1 of its pieces", line)) for line in made.lost] == [True, True]


BROKEN = [(n * MS, b'data: {"choices": [{"delta": {"content": "a"\n\n') for n in range(20)]


@pytest.mark.parametrize(("last", "outcome"), [([], "truncated"), ([(30 * MS, DONE)], "complete")])
def test_events_that_are_no_json_are_counted_and_are_why_there_is_no_token(tmp_path, last, outcome):
    made = recording(tmp_path, [*BROKEN, *last])
    (row,) = made.as_dict()["streams"]
    assert (row["outcome"], row["ttft_ms"], row["ttft_ms_why"]) == (outcome, None, "unparsed")
    assert (row["finish_ms_why"], row["prompt_tokens_why"], row["e2e_ms_why"]) == ("unparsed",) * 3
    assert made.exchanges["unparsed"].tolist() == [20]
    assert made.events["carries"].tolist() == ["unparsed"] * 20 + ["done"] * len(last)


def test_events_that_are_no_json_among_tokens_are_counted(tmp_path):
    made = recording(tmp_path, [*BROKEN, *HELLO])
    assert made.exchanges["unparsed"].tolist() == [20]
    assert (made.streams["ttft_ms"].tolist(), made.streams["outcome"].tolist()) == ([200], ["complete"])


def test_half_an_event_of_a_broken_connection_does_not_hide_who_broke_it(tmp_path):
    row = stream(tmp_path, [(5, b'data: {"choices"')], end="upstream-error")
    assert (row["outcome"], row["ttft_ms_why"]) == ("upstream-error", "upstream-error")


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("POST", 204), ("DELETE", 205), ("GET", 304), ("HEAD", 304)]
)
def test_answer_without_a_body_by_definition_is_complete(tmp_path, method, status):
    row = stream(tmp_path, [], method=method, status=status)
    assert (row["outcome"], row["status"], row["end_ms"]) == ("complete", status, 30)
    for name in ("ttft_ms", "first_event_ms", "finish_ms", "itl_ms"):
        assert (row[name], row[f"{name}_why"]) == (None, "not-a-stream")
    assert (row["first_byte_ms_why"], row["output_tokens_why"]) == ("no-body", "no-usage")


def test_missing_page_is_one_also_for_head(tmp_path):
    assert stream(tmp_path, [], method="HEAD", status=404)["outcome"] == "http-error"


BEYOND = (2**63, 2**64 - 1, -(2**63))


@pytest.mark.parametrize("number", BEYOND)
@pytest.mark.parametrize(
    ("record", "field"),
    [(0, "t_end"), (1, "t"), (1, "status"), (2, "t"), (5, "t"), (5, "chunks")],
)
def test_number_that_no_table_can_hold_is_damage_and_no_other_exchange_suffers(
    tmp_path, record, field, number
):
    made = records(HELLO)
    made[record] = msgspec.structs.replace(made[record], **{field: number})
    found = load(write(tmp_path / "a.tape", made, records(HELLO, exchange=1)))
    assert found.streams["outcome"].tolist() == ["damaged", "complete"]
    assert found.streams["ttft_ms_why"].tolist()[0] == "damaged"
    assert "damaged at byte" in found.lost[0]
    found.summary("status")
    found.as_dict()


def test_exchange_whose_number_no_table_can_hold_is_lost_and_said_so(tmp_path):
    found = load(write(tmp_path / "a.tape", records(HELLO, exchange=2**63), records(HELLO, exchange=1)))
    assert found.streams["exchange"].tolist() == [1]
    assert found.lost


def test_file_given_twice_is_read_once(tmp_path):
    path = write(tmp_path / "a.tape", records(HELLO))
    other = tmp_path / "other.tape"
    other.symlink_to(path)
    made = load([path, str(path), tmp_path / "." / "a.tape", other])
    assert made.streams["cassette"].tolist() == [str(path)]
    assert len(made.events) == len(HELLO)


def test_standard_input_is_read_once():
    with pytest.raises(ValueError, match='expected "-" once'):
        load(["-", "-"])


@pytest.mark.parametrize("lost", [b"asked-for", b"event-stream"])
def test_exchange_that_lost_its_request_or_response_is_not_measured(tmp_path, lost):
    made = load(damaged(write(tmp_path / "a.tape", records(HELLO)), lost))
    (row,) = made.as_dict()["streams"]
    assert (row["outcome"], row["ttft_ms"], row["ttft_ms_why"]) == ("damaged", None, "damaged")
    assert ["is missing; it is not measured" in line for line in made.lost] == [False, True]


def test_cut_at_every_byte_gives_what_is_whole(tmp_path):
    whole = write(tmp_path / "a.tape", records(HELLO)).read_bytes()
    path = tmp_path / "cut.tape"
    seen = set()
    for size in range(12, len(whole)):
        path.write_bytes(whole[:size])
        exchanges, _ = load_one(str(path), AS_IT_IS)
        for each in exchanges:
            ((stream, outcome, measures),) = [(s.stream, s.outcome, s.measures) for s in each.streams]
            seen.add((outcome, len(stream.token_ns)))
            assert measures.numbers["ttft_ms"] == (200 if stream.token_ns else None)
    assert seen == {("recorder-stopped", 0), ("recorder-stopped", 1), ("complete", 2)}


def test_interruption_is_no_loss(tmp_path):
    assert recording(tmp_path, HELLO, end=None).lost == ()


def test_files_of_which_nothing_can_be_used_raise(tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"GIF89a")
    with pytest.raises(cassette.NotACassette):
        load(other)
    with pytest.raises(cassette.Unreadable):
        load([tmp_path / "missing"])


def test_text_of_every_event_is_whole_though_reads_cut_it_anywhere(tmp_path):
    body = b"".join(event for _, event in [(0, data(chunk({"content": "春眠不覺曉 👩‍🚀"}))), *HELLO])
    for size in (1, 2, 3, 7):
        folder = tmp_path / str(size)
        folder.mkdir()
        cut = [(n * MS, body[at : at + size]) for n, at in enumerate(range(0, len(body), size))]
        made = recording(folder, cut)
        assert "".join(made.events["text"]) == "春眠不覺曉 👩‍🚀ab"
        assert made.streams["token_events"].tolist() == [3]


BODY = b"".join(
    [event for _, event in HELLO] + [data(usage_chunk(9, 2)), b": c\r\n\r\n", b"event: error\ndata: {}\n\n"]
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    flips=st.lists(st.tuples(st.integers(0, len(BODY) - 1), st.integers(0, 255)), max_size=6),
    size=st.integers(1, 400),
    encoding=st.sampled_from(["", "gzip", "br", "zstd", "deflate"]),
    content_type=st.sampled_from(["text/event-stream", "application/json", ""]),
)
def test_no_body_raises_and_every_time_is_that_of_a_read(tmp_path, flips, size, encoding, content_type):
    body = bytearray(BODY)
    for at, value in flips:
        body[at] = value
    pieces = [(n * MS, bytes(body[at : at + size])) for n, at in enumerate(range(0, len(body), size))]
    path = tmp_path / "fuzz.tape"
    path.unlink(missing_ok=True)
    made = load(write(path, records(pieces, encoding=encoding, content_type=content_type)))
    made.as_dict(by="outcome")
    assert (made.events["t_ms"] == made.events["read"]).all()
    assert made.reads["bytes"].sum() == len(body)
    for row in made.as_dict()["streams"]:
        assert row["ttft_ms"] is None or 0 <= row["ttft_ms"] <= row["last_token_ms"]


def test_times_are_of_the_request_and_not_of_the_section(tmp_path):
    made = recording(tmp_path, HELLO)
    assert made.exchanges["started_at"].tolist() == [
        pd.Timestamp(SECTION.wall_ns + ZERO, unit="ns", tz="UTC")
    ]
    assert made.exchanges[["headers_ms", "first_byte_ms", "end_ms"]].to_numpy().tolist() == [[30, 200, 221]]


def test_a_date_that_is_not_known_is_missing_and_not_1970(tmp_path):
    nowhen = msgspec.structs.replace(SECTION, wall_ns=0)
    with cassette.Writer(tmp_path / "a.tape", nowhen) as tape:
        for record in records(HELLO):
            tape.write(record)
    made = load(tmp_path / "a.tape")
    assert made.exchanges["started_at"].isna().all()
    assert made.as_dict()["streams"][0]["started_at"] is None
    assert made.streams["ttft_ms"].notna().all()


def test_collector_is_as_it_was_after_a_load(tmp_path):
    path = write(tmp_path / "a.tape", records(HELLO))
    assert gc.isenabled()
    load(path)
    assert gc.isenabled()
    with pytest.raises(cassette.Unreadable):
        load(tmp_path / "none.tape")
    assert gc.isenabled()
