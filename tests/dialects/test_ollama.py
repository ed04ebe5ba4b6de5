import json

import pytest

from tests.dialects.reading import read_all, said
from tokentape.dialects import Usage, choose, named

NAME = "ollama"


def line(content="", *, done=False, **more):
    return {"model": "m", "message": {"role": "assistant", "content": content}, "done": done, **more}


def last(**more):
    return line(done=True, done_reason="stop", **more)


def thought(text):
    return {"model": "m", "message": {"content": "", "thinking": text}, "done": False}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (line("a"), ("content", "a")),
        (line(), ("nothing", "")),
        (thought("r"), ("reasoning", "r")),
        ({"model": "m", "response": "a", "done": False}, ("content", "a")),
        ({"model": "m", "response": "", "thinking": "r", "done": False}, ("reasoning", "r")),
        (
            {"message": {"content": "", "tool_calls": [{"function": {"name": "f", "arguments": {"a": 1}}}]}},
            ("tool_call", 'f{"a":1}'),
        ),
        (last(), ("finish+done", "")),
        (line("a", done=True), ("content+done", "a")),
        (b"nonsense", ("unparsed", "")),
        ({"message": "a", "done": "yes"}, ("nothing", "")),
    ],
)
def test_what_a_line_carries(payload, expected):
    assert said(read_all(NAME, payload)) == [expected]


def test_the_last_line_has_the_bill():
    *_, row = read_all(NAME, line("a"), last(prompt_eval_count=9, eval_count=2))
    assert (row.usage, row.finish, row.model) == (Usage(9, 2), "stop", "m")


def test_a_bill_of_the_second_run_alone_is_left_out():
    rows = read_all(NAME, *[thought("r")] * 20, line("a"), last(prompt_eval_count=400, eval_count=2))
    assert rows[-1].usage is None


def test_errors():
    assert read_all(NAME, {"error": "model not found"})[0].error == "model not found"


def test_the_lines_tell_and_the_path_does_not():
    assert choose("/api/chat").name == "sse"
    assert choose("/api/chat", pieces=[json.dumps(last()).encode()]).name == NAME
    (row,) = named(NAME).read_answer(json.dumps(line("a", done=True, done_reason="stop")).encode())
    assert said([row]) == [("content+finish+done", "a")]
