import json

import pytest

from tests.dialects.reading import read_all, said
from tokentape.dialects import Usage, choose, named

NAME = "anthropic-messages"


def delta(kind, **more):
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, **more}}


def start(**block):
    return {"type": "content_block_start", "index": 0, "content_block": block}


def message_start(**usage):
    return {"type": "message_start", "message": {"model": "c-1", "content": [], "usage": usage}}


def message_delta(reason="end_turn", **usage):
    return {"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (delta("text_delta", text="a"), ("content", "a")),
        (delta("text_delta", text=""), ("nothing", "")),
        (delta("text_delta", text=None), ("nothing", "")),
        (delta("thinking_delta", thinking="r"), ("reasoning", "r")),
        (delta("input_json_delta", partial_json='{"a'), ("tool_call", '{"a')),
        (delta("input_json_delta", partial_json=""), ("nothing", "")),
        (delta("signature_delta", signature="Eq"), ("withheld", "")),
        (delta("signature_delta", signature=""), ("nothing", "")),
        (delta("citations_delta", citation={"cited_text": "x"}), ("nothing", "")),
        (start(type="text", text=""), ("nothing", "")),
        (start(type="text", text="a"), ("content", "a")),
        (start(type="thinking", thinking="", signature=""), ("nothing", "")),
        (start(type="redacted_thinking", data="Eq"), ("withheld", "")),
        (start(type="tool_use", name="f", input={}), ("tool_call", "f")),
        (
            start(type="server_tool_use", name="web_search", input={"q": 1}),
            ("tool_call", 'web_search{"q":1}'),
        ),
        (start(type="web_search_tool_result", content=[{"type": "text", "text": "x"}]), ("nothing", "")),
        ({"type": "content_block_stop", "index": 0}, ("nothing", "")),
        ({"type": "ping"}, ("nothing", "")),
        ({"type": "message_stop"}, ("done", "")),
        (b"[DONE]", ("done", "")),
        (b"nonsense", ("unparsed", "")),
        (b"[1]", ("unparsed", "")),
        ({"type": ["message_stop"]}, ("nothing", "")),
        ({"type": "content_block_delta", "delta": "text"}, ("nothing", "")),
    ],
)
def test_what_an_event_carries(payload, expected):
    assert said(read_all(NAME, payload)) == [expected]


def test_output_of_the_first_bill_is_not_the_bill():
    (first,) = read_all(NAME, message_start(input_tokens=7, output_tokens=3))
    assert first.usage == Usage(prompt=7)
    assert first.model == "c-1"


def test_prompt_is_kept_for_a_last_bill_without_it_and_holds_what_was_cached():
    begun = message_start(input_tokens=7, cache_creation_input_tokens=20, cache_read_input_tokens=100)
    *_, last = read_all(NAME, begun, message_delta(output_tokens=5))
    assert (last.usage, last.finish) == (Usage(prompt=127, output=5, cached=100), "end_turn")
    nulls = {"cache_creation_input_tokens": None, "cache_read_input_tokens": 0}
    *_, last = read_all(NAME, begun, message_delta(input_tokens=8, output_tokens=5, **nulls))
    assert last.usage == Usage(prompt=28, output=5, cached=0)


SUMMARISED = ("claude-sonnet-4-20250514", "us.anthropic.claude-opus-4-1-20250805-v1:0", "claude-fable-5")
SHOWN = ("claude-3-7-sonnet-20250219", "anthropic/claude-3.7-sonnet", "deepseek-reasoner", "MiniMax-M2", None)


@pytest.mark.parametrize("model", [*SUMMARISED, *SHOWN])
def test_thinking_is_a_summary_where_the_model_is_known_to_show_one(model):
    begun = {"type": "message_start", "message": {"model": model, "usage": {"input_tokens": 1}}}
    block, signature = start(type="thinking", thinking=""), delta("signature_delta", signature="Eq")
    rows = read_all(NAME, begun, block, delta("thinking_delta", thinking="r"), signature)
    expected = "reasoning+withheld" if model in SUMMARISED else "reasoning"
    assert said(rows)[2:] == [(expected, "r"), ("nothing", "")]
    content = [{"type": "thinking", "thinking": "r", "signature": "Eq"}]
    whole = {"type": "message", "model": model, "content": content, "stop_reason": None}
    assert said(named(NAME).read_answer(json.dumps(whole).encode())) == [(expected, "r")]


@pytest.mark.parametrize("model", [SUMMARISED[0], SHOWN[0], "unknown"])
def test_thinking_that_is_left_out_has_a_signature_and_no_text(model):
    begun = {"type": "message_start", "message": {"model": model}}
    blocks = [start(type="thinking", thinking=""), delta("thinking_delta", thinking="")]
    shown = [start(type="thinking", thinking=""), delta("thinking_delta", thinking="r")]
    signature = delta("signature_delta", signature="Eq")
    rows = read_all(NAME, begun, *shown, signature, *blocks, signature)
    assert said(rows)[3] == ("nothing", "")
    assert said(rows)[-1] == ("withheld", "")
    content = [{"type": "thinking", "thinking": "", "signature": "Eq"}, {"type": "text", "text": "a"}]
    whole = {"type": "message", "model": model, "content": content, "stop_reason": None}
    assert said(named(NAME).read_answer(json.dumps(whole).encode())) == [("content+withheld", "a")]


def test_thinking_that_was_billed_is_part_of_the_output():
    (row,) = read_all(NAME, message_delta(output_tokens=9, output_tokens_details={"thinking_tokens": 4}))
    assert row.usage == Usage(output=9, reasoning=4)


@pytest.mark.parametrize(
    ("payload", "event", "message"),
    [
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "error", "m"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}, "message", "m"),
        ({"type": "error", "error": {"type": "overloaded_error"}}, "error", "overloaded_error"),
        ({"error": "m"}, "message", "m"),
        (b"not JSON", "error", "not JSON"),
    ],
)
def test_errors(payload, event, message):
    (row,) = read_all(NAME, payload, event=event)
    assert row.error == message


def test_whole_message_says_what_a_stream_of_it_would():
    body = {
        "type": "message",
        "model": "c-1",
        "content": [{"type": "thinking", "thinking": "r"}, {"type": "text", "text": "a"},
                    {"type": "tool_use", "name": "f", "input": {"x": "é"}}],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 2},
    }  # fmt: skip
    (row,) = named(NAME).read_answer(json.dumps(body).encode())
    assert said([row]) == [("reasoning+content+tool_call+finish+usage", 'raf{"x":"é"}')]
    assert (row.model, row.finish, row.usage) == ("c-1", "tool_use", Usage(1, 2))
    assert choose("/proxied", pieces=[json.dumps(body).encode()]).name == NAME


def test_a_gateway_under_another_path_is_known_by_its_first_event():
    assert choose("/api/v1/messages").name == NAME
    assert choose("/messages/").name == "sse"
