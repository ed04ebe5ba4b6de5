import json

import pytest

from tests.dialects.reading import read_all, said
from tokentape.dialects import Usage, choose, named

NAME = "openai-responses"
CALL = {"type": "function_call", "name": "f", "arguments": "{}"}


def event(kind, **more):
    return {"type": f"response.{kind}", "output_index": 0, "content_index": 0, "item_id": "i", **more}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (event("output_text.delta", delta="a"), ("content", "a")),
        (event("output_text.delta", delta=""), ("nothing", "")),
        (event("output_text.delta", delta={"text": "a"}), ("nothing", "")),
        (event("reasoning_summary_text.delta", delta="r"), ("reasoning+withheld", "r")),
        (event("reasoning_text.delta", delta="r"), ("reasoning", "r")),
        (event("refusal.delta", delta="no"), ("refusal", "no")),
        (event("function_call_arguments.delta", delta="{"), ("tool_call", "{")),
        (event("custom_tool_call_input.delta", delta="x"), ("tool_call", "x")),
        (event("mcp_call_arguments.delta", delta="{"), ("tool_call", "{")),
        (event("code_interpreter_call_code.delta", delta="print"), ("tool_call", "print")),
        (event("audio.delta", delta="AAAA"), ("audio", "")),
        (event("output_audio_transcript.delta", delta="hi"), ("audio", "hi")),
        (event("output_item.added", item={**CALL, "arguments": ""}), ("tool_call", "f")),
        (event("output_item.added", item={"type": "message", "content": []}), ("nothing", "")),
        (event("output_item.added", item={"type": "web_search_call"}), ("nothing", "")),
        (event("content_part.added", part={"type": "output_text", "text": ""}), ("nothing", "")),
        (event("content_part.done", part={"type": "output_text", "text": "a"}), ("nothing", "")),
        (event("output_item.done", item=CALL), ("nothing", "")),
        (event("output_text.annotation.added", annotation={}), ("nothing", "")),
        (event("web_search_call.searching"), ("nothing", "")),
        ({"type": "keepalive"}, ("nothing", "")),
        (b"[DONE]", ("done", "")),
        (b"nonsense", ("unparsed", "")),
        ({"type": None}, ("nothing", "")),
    ],
)  # fmt: skip
def test_what_an_event_carries(payload, expected):
    assert said(read_all(NAME, payload)) == [expected]


def test_a_copy_of_the_text_is_none_but_a_text_without_parts_is_one():
    delta, done = event("output_text.delta", delta="a"), event("output_text.done", text="a")
    assert said(read_all(NAME, delta, done)) == [("content", "a"), ("nothing", "")]
    assert said(read_all(NAME, done)) == [("content", "a")]
    second = {**done, "output_index": 1, "item_id": "j", "text": "b"}
    assert said(read_all(NAME, delta, done, second))[-1] == ("content", "b")
    arguments = event("function_call_arguments.done", arguments="{}")
    assert said(read_all(NAME, arguments)) == [("tool_call", "{}")]


@pytest.mark.parametrize(
    ("name", "place", "text"),
    [
        ("output_text", "content_index", "text"),
        ("reasoning_summary_text", "summary_index", "text"),
        ("function_call_arguments", None, "arguments"),
    ],
)
def test_a_part_is_known_by_its_indices_where_each_event_has_another_item_id(name, place, text):
    """So GitHub Copilot does it."""

    def at(step, item_id, output_index=0, **more):
        index = {} if place is None else {place: 0}
        numbered = {"output_index": output_index, **index}
        return {"type": f"response.{name}.{step}", "item_id": item_id, **numbered, **more}

    pieces = [at("delta", "A", delta="a"), at("delta", "B", delta="b"), at("done", "C", **{text: "ab"})]
    assert "".join(row.text for row in read_all(NAME, *pieces)) == "ab"
    other = at("done", "C", output_index=1, **{text: "c"})
    assert "".join(row.text for row in read_all(NAME, *pieces, other)) == "abc"


def test_a_part_without_an_index_is_known_by_its_item():
    def at(step, item_id, **more):
        return {"type": f"response.output_text.{step}", "item_id": item_id, **more}

    pieces = [at("delta", "A", delta="a"), at("done", "A", text="a"), at("done", "B", text="b")]
    assert "".join(row.text for row in read_all(NAME, *pieces)) == "ab"


@pytest.mark.parametrize(
    ("shown", "at_its_end"),
    [([], "withheld"), (["reasoning_summary_text"], "nothing"), (["reasoning_text"], "nothing")],
)
def test_an_item_of_reasoning_that_showed_none_withholds_it(shown, at_its_end):
    item = {"type": "reasoning", "summary": [], "encrypted_content": "gA"}
    before = event("reasoning_text.delta", delta="r")
    texts = [event(f"{name}.delta", delta="r") for name in shown]
    rows = read_all(
        NAME, before, event("output_item.added", item=item), *texts, event("output_item.done", item=item)
    )
    assert said(rows)[-1] == (at_its_end, "")


@pytest.mark.parametrize("index", [True, False], ids=["by-index", "by-id"])
@pytest.mark.parametrize("shown", [(), (0,), (1,), (0, 1)], ids=str)
@pytest.mark.parametrize("order", ["A0 B0 A1 B1", "A0 A1 B0 B1", "A0 A1 B1 B0"])
def test_items_that_overlap_are_each_asked_what_they_showed(order, shown, index):
    def at(kind, number, **more):
        return {"type": f"response.{kind}"} | ({"output_index": number} if index else {}) | more

    events, expected = [], []
    for step, number in ((each[0], int(each[1])) for each in order.split()):
        item = {"id": f"rs_{number}", "type": "reasoning"}
        if step == "A":
            events.append(at("output_item.added", number, item=item))
            if number in shown:
                events.append(at("reasoning_text.delta", number, item_id=item["id"], delta="r"))
        else:
            events.append(at("output_item.done", number, item=item))
            expected.append("nothing" if number in shown else "withheld")
    ends = [
        row
        for row, given in zip(said(read_all(NAME, *events)), events, strict=True)
        if given["type"].endswith("done")
    ]
    assert ends == [(each, "") for each in expected]


def ended(kind="completed", **more):
    usage = {"input_tokens": 3, "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}}
    response = {"object": "response", "model": "m-1", "status": kind, "usage": usage, **more}
    return {"type": f"response.{kind}", "response": response}


def test_the_last_event_is_finish_bill_and_end_mark():
    (row,) = read_all(NAME, ended())
    assert said([row]) == [("finish+usage+done", "")]
    assert (row.finish, row.usage, row.model) == ("completed", Usage(3, 9, 4), "m-1")


def test_a_response_that_is_short_says_why():
    (row,) = read_all(NAME, ended("incomplete", incomplete_details={"reason": "max_output_tokens"}))
    assert (row.finish, row.error) == ("max_output_tokens", None)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (ended("failed", error={"code": "server_error", "message": "m"}), "m"),
        (ended("failed"), "no message"),
        ({"type": "error", "code": "c", "message": "m", "param": None}, "m"),
        ({"type": "error", "error": {"message": "m"}}, "m"),
        ({"error": {"message": "m"}}, "m"),
    ],
)
def test_errors(payload, message):
    (row,) = read_all(NAME, payload)
    assert (row.error, row.finish) == (message, None)


def test_whole_response_says_what_a_stream_of_it_would():
    body = ended()["response"] | {
        "output": [
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": "r"}]},
            {"type": "message", "content": [{"type": "output_text", "text": "a"}, {"refusal": "n"}]},
            CALL,
            {"type": "web_search_call", "status": "completed"},
        ]
    }  # fmt: skip
    raw = json.dumps(body).encode()
    (row,) = named(NAME).read_answer(raw)
    assert said([row]) == [("reasoning+content+tool_call+refusal+withheld+finish+usage+done", "ranf{}")]
    assert choose("/gateway", pieces=[raw]).name == choose("/v1/responses").name == NAME
