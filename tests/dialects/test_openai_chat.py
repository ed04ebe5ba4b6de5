import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.tapes import chunk, usage
from tokentape.cassette import ServerSentEvent
from tokentape.dialects import (
    AUDIO,
    CONTENT,
    DONE,
    ERROR,
    FINISH,
    OWN_USAGE,
    REASONING,
    REFUSAL,
    TOOL_CALL,
    UNPARSED,
    USAGE,
    WITHHELD,
    Carried,
    Usage,
    choose,
    named,
)
from tokentape.dialects._openai_chat import _carried, _fitted

DIALECT = named("openai-chat")
SUMMARY = REASONING | WITHHELD


def read(payload: Any, event: str = "message") -> list[Carried]:
    raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return list(DIALECT.reader()(ServerSentEvent(raw, 0, event)))


def read_one(payload: Any, event: str = "message") -> Carried:
    (found,) = read(payload, event)
    return found


def one(delta: Any, finish: Any = None) -> Carried:
    return read_one(chunk(delta, finish))


@pytest.mark.parametrize(
    ("delta", "carries", "text"),
    [
        ({"content": "a"}, CONTENT, "a"),
        ({"content": " "}, CONTENT, " "),
        ({"content": "\n"}, CONTENT, "\n"),
        ({"content": ""}, 0, ""),
        ({"content": None, "role": "assistant"}, 0, ""),
        ({"role": ""}, 0, ""),
        ({}, 0, ""),
        ({"reasoning_content": "r"}, REASONING, "r"),
        ({"reasoning": "r"}, REASONING, "r"),
        ({"reasoning_details": [{"type": "reasoning.text", "text": "r"}]}, REASONING, "r"),
        ({"reasoning_details": [{"type": "reasoning.summary", "summary": "r"}]}, SUMMARY, "r"),
        ({"reasoning": "r", "reasoning_details": [{"type": "reasoning.summary"}]}, SUMMARY, "r"),
        ({"reasoning_details": [{"type": "reasoning.encrypted", "data": "Ci"}]}, 0, ""),
        ({"reasoning": "r", "reasoning_details": [{"text": "r"}]}, REASONING, "r"),
        ({"reasoning_content": "r", "reasoning": "r", "content": "c"}, REASONING | CONTENT, "rc"),
        ({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "r"}]}]}, REASONING, "r"),
        ({"content": [{"type": "thinking", "thinking": "r"}]}, REASONING, "r"),
        ({"content": [{"type": "text", "text": "c"}, "d"]}, CONTENT, "cd"),
        ({"content": []}, 0, ""),
        ({"tool_calls": [{"function": {"name": "f", "arguments": ""}}]}, TOOL_CALL, "f"),
        ({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, TOOL_CALL, "{}"),
        ({"tool_calls": [{"function": {"arguments": {"a": 1}}}]}, TOOL_CALL, '{"a":1}'),
        ({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": ""}}]}, 0, ""),
        ({"tool_calls": []}, 0, ""),
        ({"function_call": {"name": "f", "arguments": ""}}, TOOL_CALL, "f"),
        ({"refusal": "no"}, REFUSAL, "no"),
        ({"audio": {"transcript": "hi"}}, AUDIO, "hi"),
        ({"audio": {"data": "AAAA"}}, AUDIO, ""),
        ({"audio": {"id": "x", "expires_at": 1}}, 0, ""),
    ],
)
def test_what_is_generated_text(delta, carries, text):
    found = one(delta)
    assert (found.carries, found.text) == (carries, text)


def test_legacy_text_is_content_unless_a_delta_has_it_too():
    assert read({"choices": [{"index": 0, "text": "a"}]}) == [Carried(0, CONTENT, "a")]
    assert read({"choices": [{"index": 0, "text": "a", "delta": {"content": "a"}}]}) == [
        Carried(0, CONTENT, "a")
    ]


def test_message_beside_a_delta_is_a_copy():
    choice = {"index": 0, "delta": {"content": "b"}, "message": {"content": "ab"}}
    assert read({"choices": [choice]}) == [Carried(0, CONTENT, "b")]


@pytest.mark.parametrize("finish", [None, "", "null", 0, False, [], {}])
def test_no_finish(finish):
    found = one({"content": "a"}, finish)
    assert (found.carries, found.finish) == (CONTENT, None)


@pytest.mark.parametrize("finish", ["stop", "length", "eos_token", "tool_calls"])
def test_finish(finish):
    found = one({"content": "a"}, finish)
    assert (found.carries, found.finish) == (CONTENT | FINISH, finish)


@pytest.mark.parametrize(
    "more",
    [
        {"usage": usage(9, 5)},
        {"usage": None, "x_groq": {"id": "r", "usage": usage(9, 5)}},
        {"usage": {"prompt_tokens": 9.0, "completion_tokens": 5.0}},
    ],
)
def test_usage_of_the_exchange(more):
    found = read_one({"choices": [], **more})
    assert (found.carries, found.usage) == (USAGE, Usage(9, 5))


def test_usage_inside_a_choice_is_that_choices():
    choice = {"index": 1, "delta": {}, "finish_reason": "stop", "usage": usage(9, 5)}
    found = read_one({"choices": [choice]})
    assert found == Carried(1, FINISH | OWN_USAGE, finish="stop", own_usage=Usage(9, 5))


@pytest.mark.parametrize(
    ("output", "reasoning", "total", "expected"),
    [
        (50, 33, 140, 50),  # within
        (12, 75, 177, 87),  # xAI: beside, and the total says so
        (35, 267, 125, 302),  # Vercel's gateway: beside, or it would be more than the whole
        (50, 0, 140, 50),
    ],
)
def test_reasoning_is_always_within_the_output(output, reasoning, total, expected):
    details = {"reasoning_tokens": reasoning}
    bill = {"prompt_tokens": 90, "completion_tokens": output, "total_tokens": total}
    found = read_one({"choices": [], "usage": {**bill, "completion_tokens_details": details}})
    assert found.usage == Usage(90, expected, reasoning)


@pytest.mark.parametrize(
    "bad",
    ["5", True, -1, 5.5, [5], {"n": 5}, None, 10**30],
)
def test_what_is_no_count_is_not_billed(bad):
    assert read({"choices": [], "usage": {"completion_tokens": bad, "prompt_tokens": bad}}) == [Carried()]


@pytest.mark.parametrize(
    "bad", [b"{", b"null", b"[]", b"7", b'"x"', b"\xff\xfe", b"[" * 100_000, b"DONE", b"[DONE"]
)
def test_what_is_no_chunk_is_unparsed(bad):
    assert read(bad) == [Carried(carries=UNPARSED)]


@pytest.mark.parametrize("blank", [b"", b" ", b"\n"])
def test_blank_data_says_nothing_and_is_not_unparsed(blank):
    assert read(blank) == [Carried()]


def test_end_mark_is_not_unparsed():
    assert read(b" [DONE] ") == [Carried(carries=DONE)]


@pytest.mark.parametrize(
    "bad",
    [
        {"choices": None},
        {"choices": "x"},
        {"choices": {"0": {}}},
        {"choices": [None, 1, "x", []]},
        {"choices": [], "usage": "many"},
        {"choices": [], "usage": [1]},
        {"choices": [], "error": None},
        {"choices": [], "model": 5},
    ],
)
def test_chunks_of_a_wrong_shape_carry_nothing(bad):
    assert read(bad) == [Carried()]


def test_the_rest_of_a_chunk_of_a_wrong_shape_is_read():
    found = read(
        {"choices": [3, {"index": 1, "delta": {"content": "a"}}], "usage": usage(9, 5), "model": "m"}
    )
    assert found == [Carried(1, CONTENT | USAGE, "a", "m", Usage(9, 5))]
    assert read({"choices": [{"index": 0, "delta": "a", "finish_reason": "stop"}]})[0].finish == "stop"


@pytest.mark.parametrize(("index", "choice"), [(None, 0), ("1", 1), (1.0, 1), (3, 3)])
def test_index_of_a_choice(index, choice):
    assert read_one(chunk({"content": "a"}, index=index)).choice == choice


@pytest.mark.parametrize("index", [-1, "x", [0], True, 2**40, 0.5])
def test_a_choice_whose_index_cannot_be_known_is_no_other_choices(index):
    assert read_one(chunk({"content": "a"}, index=index)) == Carried(model="m-1")


def test_choices_without_index_are_told_apart_by_their_place():
    found = read({"choices": [{"delta": {"content": "a"}}, {"delta": {"content": "b"}}]})
    assert [each.choice for each in found] == [0, 1]


def test_halves_of_a_surrogate_pair_are_text_that_a_table_can_hold():
    found = read(b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}')[0]
    assert (found.carries, found.text) == (CONTENT, "\N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize("end", [b"[DONE]", b" [DONE]", b"[DONE] "])
def test_end_mark(end):
    assert read_one(end).carries == DONE


@pytest.mark.parametrize(
    ("payload", "event", "message"),
    [
        ({"error": {"message": "m"}}, "message", "m"),
        ({"error": "m"}, "message", "m"),
        ({"error": {"code": 5}}, "message", "no message"),
        ({"object": "error", "message": "m"}, "message", "m"),
        ({"x_groq": {"error": "m"}}, "message", "m"),
        ({"message": "m"}, "error", "m"),
        (b"not JSON", "error", "not JSON"),
        (b"", "error", "no message"),
    ],
)
def test_errors(payload, event, message):
    found = read_one(payload, event)
    assert (found.carries & ERROR, found.error) == (ERROR, message)


def test_finish_reason_error_is_an_error():
    assert read_one(chunk({}, "error")).carries & ERROR


def test_dialect_is_told_by_the_path_and_else_by_the_events():
    event = ServerSentEvent(json.dumps(chunk({"content": "a"})).encode(), 0)
    other = ServerSentEvent(b'{"type":"ping"}', 0)
    assert choose("/openai/deployments/x/chat/completions").name == "openai-chat"
    assert choose("/openai", [other, event]).name == "openai-chat"
    assert choose("/v1/other", [other] * 20).name == "sse"
    with pytest.raises(ValueError, match=r"openai-chat.*sse.*'nope'"):
        named("nope")


leaves = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=4))
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


def objects(**known):
    """Objects with any of these keys, and now and then something else altogether."""
    return st.fixed_dictionaries({}, optional=known) | anything


deltas = objects(
    content=anything,
    reasoning_content=anything,
    reasoning=anything,
    reasoning_details=anything,
    tool_calls=anything,
    function_call=anything,
    refusal=anything,
    audio=anything,
)
choices = objects(
    index=st.integers(0, 2) | anything, delta=deltas, finish_reason=anything, text=anything, usage=anything
)
chunks = objects(
    choices=st.lists(choices, max_size=3),
    usage=objects(prompt_tokens=anything, completion_tokens=anything, completion_tokens_details=anything),
    error=anything,
    x_groq=anything,
    model=anything,
    object=anything,
)


@given(chunks, st.sampled_from(["message", "error"]))
def test_whatever_comes_is_read_as_without_the_fast_path_and_the_types(payload, event):
    raw = msgspec.json.encode(payload)
    if type(payload) is not dict:
        assert [found.carries & UNPARSED for found in read(raw, event)] == [UNPARSED]
        return
    expected = _carried(_fitted(msgspec.json.decode(raw)), is_error=event == "error")
    assert read(raw, event) == list(expected)


@given(st.binary(max_size=60))
def test_no_bytes_raise(raw):
    assert len(read(raw)) == 1


@pytest.mark.parametrize(
    ("model", "carries"),
    [
        ("anthropic/claude-sonnet-4.5", SUMMARY),
        ("google/gemini-2.5-pro", SUMMARY),
        ("anthropic/claude-3.7-sonnet:thinking", REASONING),
        ("deepseek/deepseek-r1", REASONING),
        ("openai/gpt-oss-120b", REASONING),
        (None, REASONING),
    ],
)
def test_reasoning_is_a_summary_where_the_model_is_known_to_show_one(model, carries):
    assert read_one({**chunk({"reasoning": "r"}), "model": model}).carries == carries
    assert read_one({**chunk({"content": "c"}), "model": model}).carries == CONTENT


def test_a_finish_that_is_an_error_is_one_of_its_choice_alone():
    both = [chunk({"content": "b"}, "error", index=1)["choices"][0], chunk({"content": "a"})["choices"][0]]
    other, own = read({**chunk(), "choices": both})
    assert (other.carries & ERROR, other.error) == (ERROR, "finish_reason is 'error'")
    assert (own.choice, own.carries, own.error) == (0, CONTENT, None)
