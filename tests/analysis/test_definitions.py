"""What the presets make of a stream whose tools disagree: reasoning first, late end mark, late close."""

import msgspec
import pytest

from tests.analysis.tapes import DONE, MS, chunk, data, records, usage, usage_chunk, write
from tokentape import cassette
from tokentape.analysis import DEFINITIONS, load

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
    ],
)
def test_what_is_missing_has_a_reason_and_nothing_else_has(tmp_path, name, exchange):
    streams = load(write(tmp_path / "a.tape", exchange), definitions=name).streams
    for each in ("ttft_ms", "itl_ms", "tpot_ms", "e2e_ms"):
        assert (streams[each].isna() == streams[f"{each}_why"].notna()).all(), each


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
