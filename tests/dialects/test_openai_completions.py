import json

from tests.dialects.reading import read_all, said
from tokentape.dialects import Usage, choose, named

NAME = "openai-completions"


def chunk(text, finish=None, **more):
    return {
        "object": "text_completion",
        "choices": [{"text": text, "index": 0, "finish_reason": finish}],
        **more,
    }


def test_text_finish_and_bill():
    bill = {"object": "text_completion", "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    rows = read_all(NAME, chunk("a"), chunk(""), chunk("b", "length"), bill, b"[DONE]")
    assert said(rows) == [
        ("content", "a"),
        ("nothing", ""),
        ("content+finish", "b"),
        ("usage", ""),
        ("done", ""),
    ]
    assert (rows[2].finish, rows[3].usage) == ("length", Usage(3, 2))


def test_the_answer_tells_and_the_path_does_not():
    raw = json.dumps(chunk("a", "stop")).encode()
    assert choose("/v1/completions", pieces=[raw]).name == NAME
    assert choose("/v1/completions", pieces=[b'{"value":"a"}']).name == "sse"
    without_object = json.dumps({"choices": [{"text": "a"}]}).encode()
    assert choose("/x", pieces=[without_object]).name == NAME
    beside_delta = json.dumps({"choices": [{"text": "a", "delta": {"content": "a"}}]}).encode()
    assert choose("/x", pieces=[beside_delta]).name == "openai-chat"
    assert said(named(NAME).read_answer(raw)) == [("content+finish", "a")]
