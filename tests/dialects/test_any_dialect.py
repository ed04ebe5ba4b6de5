"""What holds for every dialect, whatever comes."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette import ServerSentEvent
from tokentape.dialects import DIALECTS, ERROR, TOKEN, choose

KEYS = ["type", "delta", "message", "content", "content_block", "text", "thinking", "usage", "error", "item",
        "response", "candidates", "parts", "functionCall", "args", "usageMetadata", "index", "output",
        "tool_calls", "function", "arguments", "name", "input_tokens", "output_tokens", "done", "eval_count",
        "finishReason", "stop_reason", "status", "choices", "tokens", "model", "promptFeedback"]  # fmt: skip
TYPES = ["message_start", "content_block_delta", "content_block_start", "message_delta", "text_delta",
         "response.output_text.delta", "response.output_item.added", "response.completed", "function_call",
         "content-delta", "message-end", "tool-call-delta", "tool_use", "text", "error"]  # fmt: skip
leaves = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.sampled_from(TYPES)
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=20,
)
objects = st.dictionaries(st.sampled_from(KEYS), values, max_size=6)


def coherent(carried):
    assert bool(carried.carries & ERROR) == (carried.error is not None)
    assert not carried.text or carried.carries & TOKEN
    assert type(carried.text) is str
    carried.text.encode()


@pytest.mark.parametrize("name", DIALECTS)
@given(st.lists(objects | values, max_size=4), st.sampled_from(["message", "error", "line"]))
def test_no_json_raises_and_what_is_said_is_coherent(name, payloads, event):
    dialect = DIALECTS[name]
    read = dialect.reader()
    for payload in payloads:
        raw = json.dumps(payload).encode()
        rows = read(ServerSentEvent(raw, 0, event))
        assert rows
        for row in [*rows, *dialect.read_answer(raw)]:
            coherent(row)
        choose("/x", pieces=[raw])


@pytest.mark.parametrize("name", DIALECTS)
@given(st.binary(max_size=60))
def test_no_bytes_raise(name, raw):
    dialect = DIALECTS[name]
    assert dialect.reader()(ServerSentEvent(raw, 0))
    assert dialect.read_answer(raw)


@pytest.mark.parametrize("name", DIALECTS)
def test_deep_nesting_does_not_raise(name):
    raw = b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":' + b"[" * 50_000
    for body in (raw, raw + b"]" * 50_000 + b"}}]}}]}", b"[" * 900 + b"]" * 900):
        assert DIALECTS[name].reader()(ServerSentEvent(body, 0))
        assert DIALECTS[name].read_answer(body)


def test_each_dialect_is_in_the_document_and_no_other():
    text = (Path(__file__).parents[2] / "docs" / "dialects.md").read_text(encoding="utf-8")
    rows = [line for line in text.partition("\n## ")[0].splitlines() if line.startswith("| `")]
    assert sorted(row.split("`")[1] for row in rows) == sorted(DIALECTS)
