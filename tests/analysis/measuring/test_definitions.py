"""What the presets make of a stream whose tools disagree: reasoning first, late end mark, late close."""

import json
from itertools import pairwise

import msgspec
import numpy as np
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage, usage_chunk, write
from tokentape import cassette
from tokentape.analysis import DEFINITIONS, load
from tokentape.analysis.measuring._reason import REASONS
from tokentape.dialects import OUTCOMES

PIECES = [
    (50 * MS, data(chunk({"role": "assistant", "content": ""}))),
    (200 * MS, data(chunk({"reasoning_content": "a"}))),
    (300 * MS, data(chunk({"tool_calls": [{"index": 0, "function": {"name": "f"}}]}))),
    (400 * MS, data(chunk({"content": "b"}))),
    (600 * MS, data(chunk({"content": "c"}, "stop"))),
    (700 * MS, data(usage_chunk(9, 5))),
    (900 * MS, DONE),
]


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("aiperf", (200, 100, None, 600)),
        ("guidellm", (200, 100, 120, 1000)),
        ("servebench", (200, 200, 175, 900)),
        ("vllm", (300, 150, 75, 600)),
    ],
)
def test_preset_has_its_tools_numbers(tmp_path, name, numbers):
    made = load(write(tmp_path / "a.tape", records(PIECES, end_ns=1000 * MS)), definitions=name)
    (row,) = made.as_dict()["streams"]
    assert tuple(row[each] for each in ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms")) == numbers
    assert row["tpot_ms_why"] == (None if numbers[2] else "not-defined")
    assert made.definitions == name


def test_empty_content_without_a_role_is_output_to_vllm_alone(tmp_path):
    pieces = [PIECES[0], (100 * MS, data(chunk({"content": ""}))), *PIECES[3:]]
    path = write(tmp_path / "a.tape", records(pieces))
    found = {name: load(path, definitions=name).streams["ttft_ms"].tolist() for name in DEFINITIONS}
    assert found == {"aiperf": [400], "guidellm": [400], "servebench": [400], "vllm": [100]}


DELTAS = {
    "role alone": {"role": "assistant", "content": ""},
    "empty content": {"content": ""},
    "empty content and role": {"content": "", "role": ""},
    "content": {"content": "a"},
    "reasoning": {"reasoning": "a"},
    "reasoning_content": {"reasoning_content": "a"},
    "call with a name": {"tool_calls": [{"index": 0, "function": {"name": "f"}}]},
    "call without anything": {"tool_calls": [{"index": 0, "id": "call-1", "function": {"arguments": ""}}]},
    "old call": {"function_call": {"name": "f", "arguments": ""}},
    "refusal": {"refusal": "no"},
}


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("aiperf", {"content", "reasoning", "reasoning_content", "call with a name"}),
        (
            "guidellm",
            {"content", "reasoning", "reasoning_content", "call with a name", "call without anything"},
        ),
        ("servebench", {"content", "reasoning", "reasoning_content"}),
        (
            "vllm",
            {
                "empty content",
                "content",
                "reasoning",
                "call with a name",
                "call without anything",
                "old call",
            },
        ),
    ],
)
def test_a_token_is_what_the_tool_takes_for_one(tmp_path, name, taken):
    pieces = [(ns * MS, data(chunk(delta))) for ns, delta in enumerate(DELTAS.values(), 1)]
    end = (50 * MS, data(chunk(finish="stop")))
    made = load(write(tmp_path / "a.tape", records([*pieces, end], headers_ns=0)), definitions=name)
    times = made.events.loc[made.events["is_token"], "t_ms"].tolist()
    assert {list(DELTAS)[round(ms) - 1] for ms in times} == taken
    assert made.streams["ttft_ms"].tolist() == times[:1]
    assert made.streams["token_events"].tolist() == [len(taken)]
    assert made.streams["gap_max_ms"].tolist() == [max(b - a for a, b in pairwise(times))]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_a_token_of_legacy_completions_is_text_or_to_vllm_any_choice(tmp_path, name):
    pieces = [
        (ms * MS, data({"object": "text_completion", "choices": [{"index": 0, "text": text}]}))
        for ms, text in [(100, ""), (200, "a"), (300, "b")]
    ]
    end = data({"object": "text_completion", "choices": [{"index": 0, "text": "c", "finish_reason": "stop"}]})
    exchange = records([*pieces, (400 * MS, end)], path=b"/v1/completions")
    made = load(write(tmp_path / "a.tape", exchange), definitions=name)
    assert made.streams["ttft_ms"].tolist() == [100 if name == "vllm" else 200]


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_api_that_the_tools_do_not_read_has_our_tokens(tmp_path, name):
    line = b'{"model": "m", "message": {"role": "assistant", "content": "a"}, "done": false}\n'
    end = (
        b'{"model": "m", "message": {"content": ""}, "done": true, "done_reason": "stop", "eval_count": 2}\n'
    )
    pieces = [(100 * MS, line), (200 * MS, line), (300 * MS, end)]
    exchange = records(pieces, path=b"/api/chat", content_type="application/x-ndjson")
    made = load(write(tmp_path / "a.tape", exchange), definitions=name)
    assert made.streams[["ttft_ms", "token_events"]].values.tolist() == [[100, 2]]


@pytest.mark.parametrize(
    ("ending", "counting"),
    [
        ([DONE], {"aiperf", "guidellm", "servebench", "vllm"}),
        ([], {"aiperf", "guidellm", "vllm"}),
        ([data({"error": {"message": "overloaded"}}), DONE], {"aiperf", "vllm"}),
        ([b"event: error\n" + data({"message": "overloaded"})], set()),
    ],
)
def test_a_stream_has_numbers_where_the_tool_calls_it_a_success(tmp_path, ending, counting):
    pieces = [*PIECES[:4], *((500 * MS, event) for event in ending)]
    path = write(tmp_path / "a.tape", records(pieces))
    for name in DEFINITIONS:
        made = load(path, definitions=name)
        (row,) = made.as_dict()["streams"]
        measured = (row["ttft_ms"], row["e2e_ms"])
        assert all(each is not None for each in measured) == (name in counting), name
        if name not in counting:
            assert row["ttft_ms_why"] == row["e2e_ms_why"] == row["outcome"]
        assert made.throughput().loc["all", "requests"] == (name in counting)


def two_streams(folder, name=None):
    """Return streams of 3 and 5 tokens: the gaps of one are 10 and 30 ms, of the other 10 ms each."""
    first = [(ms * MS, data(chunk({"content": "a"}))) for ms in (100, 110, 140)]
    second = [(ms * MS, data(chunk({"content": "a"}))) for ms in (300, 310, 320, 330, 340)]
    ends = [(400 * MS, data(chunk(finish="stop"))), (500 * MS, DONE)]
    failed = records(PIECES[:3], exchange=2, end="upstream-error", end_ns=900 * MS)
    both = records([*first, *ends]), records([*second, *ends], exchange=1)
    folder.mkdir(exist_ok=True)
    return load(write(folder / "a.tape", *both, failed), definitions=name)


def test_gaps_are_pooled_over_the_streams_that_count(tmp_path):
    gaps = [10, 30, 10, 10, 10, 10]
    for name in ("servebench", "vllm"):
        found = two_streams(tmp_path / name, name).summary()
        assert found.loc["itl_ms", ["n", "p50", "p90", "max"]].tolist() == [6, 10, 20, 30]
        assert found.loc["itl_ms", "p99"] == pytest.approx(np.percentile(gaps, 99))


def test_guidellm_weighs_itl_with_gaps_and_tpot_with_tokens_and_interpolates_nothing(tmp_path):
    found = two_streams(tmp_path, "guidellm").summary()
    # ITL 20 with weight 2 and 10 with weight 4: a third is above 10.
    assert found.loc["itl_ms", ["n", "p50", "p90", "p99", "max"]].tolist() == [2, 10, 20, 20, 20]
    # TPOT 140 / 3 with weight 3, and 340 / 5 with weight 5.
    assert found.loc["tpot_ms", ["p50", "p90"]].tolist() == [68, 68]
    assert found.loc["ttft_ms", ["p50", "p90", "max"]].tolist() == [100, 300, 300]
    assert found.loc["e2e_ms", "p50"] == 500
    assert found.loc["tokens_per_s", ["p50", "max"]].tolist() == [6, 10]


def test_guidellm_weighs_itl_with_one_less_than_the_tokens_and_tpot_with_all(tmp_path):
    def spoken(exchange, tokens, every_ms):
        pieces = [((100 + every_ms * at) * MS, data(chunk({"content": "a"}))) for at in range(tokens)]
        return records([*pieces, (900 * MS, DONE)], exchange=exchange)

    path = write(tmp_path / "a.tape", spoken(0, 2, 10), spoken(1, 2, 10), spoken(2, 4, 60))
    found = load(path, definitions="guidellm").summary()
    # Of 1, 1 and 3 gaps most are of 60; of 2, 2 and 4 tokens half are in the streams of 10.
    assert found.loc["itl_ms", ["n", "p50"]].tolist() == [3, 60]
    # TPOT, the last token's time by the tokens, is 55, 55 and 70.
    assert found.loc["tpot_ms", ["n", "p50", "p90"]].tolist() == [3, 55, 70]


def test_aiperf_has_a_value_for_each_stream(tmp_path):
    found = two_streams(tmp_path, "aiperf").summary()
    assert found.loc["itl_ms", ["n", "p50", "max"]].tolist() == [2, 15, 20]
    assert found.loc["tokens_per_s", ["p50", "max"]].tolist() == [75, 100]
    assert found.loc["tpot_ms", "why"] == "not-defined"


@pytest.mark.parametrize(
    ("name", "window_s", "tokens"),
    [
        (None, 0.9, 10),
        ("aiperf", 0.34, 8),
        ("guidellm", 0.9, 8),
        ("servebench", 0.9, 8),
        ("vllm", 0.9, 8),
    ],
)
def test_throughput_is_what_was_completed_over_the_time_that_all_took(tmp_path, name, window_s, tokens):
    made = two_streams(tmp_path, name)
    found = made.throughput()
    assert found.index.tolist() == ["all"]
    row = found.loc["all"].to_dict()
    assert (row["requests"], row["output_tokens"], row["window_s"]) == (2, tokens, window_s)
    assert row["requests_per_s"] == 2 / window_s
    assert row["output_tokens_per_s"] == tokens / window_s
    assert made.as_dict()["summary"]["throughput"] == row
    assert made.throughput(by="model").loc["m-1"].to_dict() == row


def test_throughput_of_nothing_is_missing(tmp_path):
    made = load(write(tmp_path / "a.tape"))
    assert made.as_dict()["summary"]["throughput"] == {
        "requests": 0,
        "output_tokens": 0,
        "tokens_from": None,
        "window_s": None,
        "requests_per_s": None,
        "output_tokens_per_s": None,
    }


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize(
    "exchange",
    [
        records(PIECES[:1], end="client-closed"),
        records(PIECES[:3]),
        records([], status=None, end="client-closed"),
        records([(5, b"{}")], status=429, content_type="application/json"),
        records([(5, b"data: [1]\n\ndata: x\n\n")]),
        records(PIECES)[:-3],
        records(PIECES[:2]),
        records(PIECES[2:3] + PIECES[4:]),
        records([PIECES[0], *PIECES[4:]]),
    ],
)
def test_what_is_missing_has_a_reason_and_nothing_else_has(tmp_path, name, exchange):
    streams = load(write(tmp_path / "a.tape", exchange), definitions=name).streams
    for each in ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms", "tokens_per_s"):
        assert (streams[each].isna() == streams[f"{each}_why"].notna()).all(), each
    whys = {why for column in streams if column.endswith("_why") for why in streams[column].dropna()}
    assert whys <= {*REASONS, *OUTCOMES} - {"complete"}


@pytest.mark.parametrize("name", DEFINITIONS)
@pytest.mark.parametrize(
    "payload",
    [
        {"choices": None},
        {"choices": {"0": {"delta": {"content": "a"}}}},
        {"choices": [None, 1, "a", [], {}]},
        {"choices": [{"index": [0], "delta": {"content": "a"}}]},
        {"choices": [{"index": "0", "delta": {"content": "a"}}]},
        {"choices": [{"index": -1, "delta": {"content": "a"}}]},
        {"choices": [{"index": 10**30, "delta": {"content": "a"}}]},
        {"choices": [{"index": 0, "delta": "a"}]},
        {"choices": [{"index": 0, "delta": {"content": {"a": 1}, "reasoning": 7}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": {"0": 1}}}]},
        {"choices": [{"index": 0, "delta": {"tool_calls": [None, {"function": "f"}, {"function": None}]}}]},
        {"choices": [{"index": 0, "delta": {"content": "\ud800"}}]},
    ],
)
def test_a_chunk_of_any_shape_is_a_row_with_numbers_or_reasons(tmp_path, name, payload):
    hostile = f"data: {json.dumps(payload)}\n\n".encode()
    exchange = records([*PIECES[:2], (250 * MS, hostile), *PIECES[2:]])
    made = load(write(tmp_path / "a.tape", exchange), definitions=name)
    first = made.streams.iloc[0]
    assert first["outcome"] == "complete"
    assert len(made.events) >= len(PIECES)


def test_unknown_definitions_name_those_there_are(tmp_path):
    with pytest.raises(ValueError, match="aiperf, guidellm, servebench, vllm"):
        load(write(tmp_path / "a.tape"), definitions="nope")


def test_sizes_cache_and_connections_are_columns(tmp_path):
    bill = {**usage(9, 2), "prompt_tokens_details": {"cached_tokens": 8}}
    new, reused = records(PIECES[:5]), records([*PIECES[:5], (700 * MS, data({"usage": bill}))], exchange=1)
    connect = cassette.Connect(tcp_start=5 * MS, tcp_end=9 * MS, tls_end=17 * MS)
    new[1] = msgspec.structs.replace(new[1], connect=connect)
    made = load(write(tmp_path / "a.tape", new, reused, records(PIECES, exchange=2, body=b"{}")))
    for table in (made.exchanges, made.streams):
        assert table["connection_reused"].tolist() == [False, True, True]
        assert table["connect_ms"].fillna(-1).tolist() == [12, -1, -1]
        assert table["cached_tokens"].fillna(-1).tolist() == [-1, 8, -1]
        assert table["request_bytes"].tolist() == [35, 35, 2]
        digest = table["request_digest"].tolist()
        assert digest[0] == digest[1] != digest[2]
        assert set(table["labels"]) == {"{}"}
