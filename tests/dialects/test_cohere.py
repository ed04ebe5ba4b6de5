import json

import pytest

from tests.dialects.reading import read_all, said
from tokentape.dialects import Usage, choose, named

NAME = "cohere"


def event(kind, **message):
    return {"type": kind, "index": 0, "delta": {"message": message}}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (event("message-start", role="assistant", content=[], tool_plan=""), ("nothing", "")),
        (event("content-start", content={"type": "text", "text": ""}), ("nothing", "")),
        (event("content-delta", content={"text": "a"}), ("content", "a")),
        (event("content-delta", content={"thinking": "r"}), ("reasoning", "r")),
        (event("tool-plan-delta", tool_plan="p"), ("reasoning", "p")),
        (
            event("tool-call-start", tool_calls={"function": {"name": "f", "arguments": ""}}),
            ("tool_call", "f"),
        ),
        (event("tool-call-delta", tool_calls={"function": {"arguments": "{"}}), ("tool_call", "{")),
        ({"type": "tool-call-end", "index": 0}, ("nothing", "")),
        (event("citation-start", citations={"text": "x"}), ("nothing", "")),
        (b"[DONE]", ("done", "")),
        (b"nonsense", ("unparsed", "")),
        ({"type": "content-delta", "delta": []}, ("nothing", "")),
    ],
)
def test_what_an_event_carries(payload, expected):
    assert said(read_all(NAME, payload)) == [expected]


def test_the_last_event_is_finish_bill_and_end_mark():
    usage = {
        "billed_units": {"input_tokens": 4, "output_tokens": 2},
        "tokens": {"input_tokens": 50, "output_tokens": 3},
    }
    (row,) = read_all(NAME, {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}})
    assert (said([row]), row.finish, row.usage) == ([("finish+usage+done", "")], "COMPLETE", Usage(50, 3))
    del usage["tokens"]
    (row,) = read_all(NAME, {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}})
    assert row.usage == Usage(4, 2)


@pytest.mark.parametrize("delta", [{"finish_reason": "ERROR", "error": "m"}, {"error": "m"}])
def test_a_message_can_end_with_an_error(delta):
    (row,) = read_all(NAME, {"type": "message-end", "delta": delta})
    assert row.error == "m"


def test_whole_message_says_what_a_stream_of_it_would():
    body = {
        "message": {
            "tool_plan": "p",
            "content": [{"type": "text", "text": "a"}],
            "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}],
        },
        "finish_reason": "COMPLETE",
    }
    (row,) = named(NAME).read_answer(json.dumps(body).encode())
    assert (said([row]), row.finish) == ([("reasoning+content+tool_call+finish+done", "paf{}")], "COMPLETE")
    assert named(NAME).read_answer(b'{"message":"invalid api token"}')[0].error == "invalid api token"
    assert choose("/v2/chat").name == NAME
