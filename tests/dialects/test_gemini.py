import json

import pytest

from tests.dialects.reading import read_all, said
from tokentape.dialects import NO_CHOICE, Usage, choose, named

NAME = "gemini"


def chunk(*parts, finish=None, index=0, **more):
    candidate = {"content": {"role": "model", "parts": list(parts)}, "index": index}
    return {"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}], **more}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"text": "a"}, ("content", "a")),
        ({"text": ""}, ("nothing", "")),
        ({"text": "r", "thought": True}, ("reasoning+withheld", "r")),
        ({"text": "", "thoughtSignature": "Ev"}, ("nothing", "")),
        ({"functionCall": {"name": "f", "args": {"a": "é"}}}, ("tool_call", 'f{"a":"é"}')),
        ({"functionCall": {"name": "f"}}, ("tool_call", "f")),
        ({"executableCode": {"language": "PYTHON", "code": "1"}}, ("tool_call", "1")),
        ({"codeExecutionResult": {"output": "1"}}, ("nothing", "")),
        ({"inlineData": {"mimeType": "audio/pcm", "data": "AA"}}, ("audio", "")),
        ({"inlineData": {"mimeType": "image/png", "data": "AA"}}, ("nothing", "")),
        ("text", ("nothing", "")),
    ],
)
def test_what_a_part_carries(part, expected):
    assert said(read_all(NAME, chunk(part))) == [expected]


def test_thoughts_are_billed_beside_the_text_and_are_output():
    usage = {
        "promptTokenCount": 5,
        "candidatesTokenCount": 3,
        "thoughtsTokenCount": 20,
        "totalTokenCount": 28,
    }
    (row,) = read_all(NAME, chunk({"text": "a"}, finish="STOP", usageMetadata=usage, modelVersion="g"))
    assert (row.usage, row.finish, row.model) == (Usage(5, 23, 20), "STOP", "g")
    (row,) = read_all(NAME, chunk({"text": "a"}, usageMetadata={"promptTokenCount": 5}))
    assert row.usage == Usage(prompt=5)


def test_candidates_are_choices():
    both = {"candidates": chunk({"text": "a"})["candidates"] + chunk({"text": "b"}, index=1)["candidates"]}
    assert [(row.choice, row.text) for row in read_all(NAME, both)] == [(0, "a"), (1, "b")]
    without = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    assert read_all(NAME, without)[0].choice == 0
    assert read_all(NAME, {"candidates": [{"index": "x"}]})[0].choice == NO_CHOICE


def test_a_blocked_prompt_is_finished_by_its_reason():
    (row,) = read_all(NAME, {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}})
    assert (row.choice, row.finish, row.text) == (0, "SAFETY", "")


def test_errors():
    (row,) = read_all(NAME, {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}})
    assert row.error == "overloaded"


def test_an_array_of_chunks_is_one_answer():
    first = chunk({"text": "a"}, modelVersion="g", usageMetadata={"promptTokenCount": 1})
    last = chunk(
        {"text": "b"}, finish="STOP", usageMetadata={"promptTokenCount": 1, "candidatesTokenCount": 2}
    )
    (row,) = named(NAME).read_answer(json.dumps([first, last]).encode())
    assert said([row]) == [("content+finish+usage", "ab")]
    assert (row.usage, row.model) == (Usage(1, 2), "g")


@pytest.mark.parametrize("path", ["/v1beta/models/g-1:streamGenerateContent", "/v1/x/g:generateContent"])
def test_the_path_tells(path):
    assert choose(path).name == NAME
