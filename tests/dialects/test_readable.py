"""What people see of an exchange: everything that was said, with its time, whatever the bytes are."""

import gzip
import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.analysis.tapes import MS, SECTION, chunk, data, records
from tests.streams import STREAMS
from tokentape import cassette
from tokentape.dialects import comparable, readable

BODY = {
    "model": "m",
    "temperature": 0.2,
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Why\nnow?"}]},
        {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}]},
    ],
}


def exchange(pieces, **more):
    (found,) = cassette.exchanges([SECTION, *records(pieces, **more)])
    return found


def shown(pieces, **more):
    return list(readable(exchange(pieces, **more)))


def row(lines, label):
    (found,) = [line for line in lines if f" {label} " in line.partition("|")[0]]
    return " ".join(found.split())


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_every_stream_is_read_to_its_end(stream):
    encoding = dict(stream.headers).get("content-encoding", "")
    lines = shown([(n * MS, piece) for n, piece in enumerate(stream.pieces)], encoding=encoding)
    for text in stream.texts.values():
        assert not text or any(text in line for line in lines)
    assert "undecodable" not in "".join(lines)


def test_the_heading_says_when_what_and_how_without_the_query():
    first, second = shown([(200 * MS, data(chunk({"content": "a"})))])[:2]
    assert first == "#0 POST https://api.example/v1/chat/completions"
    assert second.split("  ") == [
        "",
        " 2026-09-21 14:13:27.000 UTC",
        "model m-1",
        "200",
        "first byte 200.0 ms",
        "ended 200.0 ms",
        "complete",
    ]


def test_the_request_is_read_message_by_message_and_then_its_settings():
    lines = shown([], body=json.dumps(BODY).encode())
    assert row(lines, "system") == "system | Be brief."
    assert row(lines, "user") == "user | Why"
    assert row(lines, "assistant") == "assistant | f {}"
    assert row(lines, "settings") == 'settings | model: "m"'
    assert any(line.endswith("| temperature: 0.2") for line in lines)


@pytest.mark.parametrize(
    ("body", "role", "text"),
    [
        ({"input": "hi"}, "user", "hi"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}]}, "user", "hi"),
        ({"instructions": "be", "input": "hi"}, "system", "be"),
        ({"system": [{"type": "text", "text": "be"}], "messages": []}, "system", "be"),
        ({"contents": [{"role": "model", "parts": [{"text": "hi"}]}]}, "model", "hi"),
        ({"systemInstruction": {"parts": [{"text": "be"}]}, "contents": []}, "system", "be"),
        ({"prompt": "once"}, "user", "once"),
    ],
)
def test_requests_of_other_apis_are_read_too(body, role, text):
    assert row(shown([], body=json.dumps(body).encode()), role) == f"{role} | {text}"


def test_text_is_put_together_by_choice_and_kind_with_the_times_at_which_it_came():
    pieces = [
        (200 * MS, data(chunk({"reasoning_content": "hm"}))),
        (300 * MS, data(chunk({"content": "two"}, index=1))),
        (400 * MS, data(chunk({"content": "one"}))),
        (500 * MS, data(chunk({"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}))),
        (510 * MS, data(chunk({}, "tool_calls"))),
    ]
    lines = shown(pieces)
    found = [" ".join(line.split()) for line in lines[lines.index("") + 1 :]]
    assert found == [
        "200.0 ms reasoning | hm",
        "400.0 ms content | one",
        "500.0 ms tool_call | f {}",
        "510.0 ms finish | tool_calls",
        "300.0 ms content[1] | two",
        "510.0 ms end | complete",
    ]


def test_an_answer_that_was_not_streamed_is_read_without_times():
    body = {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
    lines = shown([(9 * MS, json.dumps(body).encode())], content_type="application/json")
    assert row(lines, "content") == "content | hi"
    assert row(lines, "finish") == "finish | stop"


def test_lines_of_ollama_are_read_with_their_times():
    told = [{"message": {"thinking": "hm"}}, {"message": {"content": "hi"}}, {"done_reason": "stop"}]
    lines = [{"model": "m", "message": {}, "done": each is told[-1], **each} for each in told]
    pieces = [(at * MS, json.dumps(line).encode() + b"\n") for at, line in enumerate(lines, 1)]
    found = shown(pieces, path=b"/api/chat", content_type="application/x-ndjson")
    assert row(found, "reasoning") == "1.0 ms reasoning | hm"
    assert row(found, "content") == "2.0 ms content | hi"
    assert row(found, "finish") == "3.0 ms finish | stop"


def test_a_message_of_anthropic_is_read_with_its_times():
    events = [
        {"type": "message_start", "message": {"model": "c-1", "usage": {"input_tokens": 7}}},
        {"type": "content_block_start", "content_block": {"type": "tool_use", "name": "f", "input": {}}},
        {"type": "content_block_delta", "delta": {"type": "input_json_delta", "partial_json": "{}"}},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    found = shown([(at * MS, data(event)) for at, event in enumerate(events, 1)], path=b"/v1/messages")
    assert row(found, "tool_call") == "2.0 ms tool_call | f {}"
    assert row(found, "usage") == "usage | 7 prompt, 9 output tokens"
    assert "model c-1" in found[1]


def test_lines_of_json_have_their_times():
    lines = shown(
        [(1 * MS, b'{"a":1}\n{"b'), (2 * MS, b'":2}\n')], path=b"/x", content_type="application/x-ndjson"
    )
    assert [" ".join(line.split()) for line in lines if " line " in line] == [
        '1.0 ms line | {"a":1}',
        '2.0 ms line | {"b":2}',
    ]


@pytest.mark.parametrize(
    ("pieces", "more", "expected"),
    [
        ([(MS, b'{"error": "no"}')], {"status": 429}, '|   "error": "no"'),
        ([(MS, b"\0\xff")], {"content_type": "image/png"}, "2 bytes that are no text"),
        ([(MS, b"no gzip")], {"encoding": "gzip"}, "undecodable"),
        ([(MS, data(chunk({"content": "a"})) + b"data: {")], {"end": None}, "interrupted with the recorder"),
        ([(MS, data(chunk({"content": "a"})) + b"data: {")], {}, "unparsed"),
        ([(MS, b'data: {"error": {"message": "overloaded"}}\n\n')], {}, "overloaded"),
        ([(MS, data(chunk({"content": "a"}))[:-1])], {}, "cut off    |"),
        ([(MS, b'{"a":1}\r\n')], {"path": b"/x", "content_type": "application/x-ndjson"}, '| {"a":1}\n'),
        (
            [(MS, data(chunk({"content": "a"}))), (2 * MS, b'data: {"error": {"message": "late"}}\n\n')],
            {},
            '        2.0 ms  error      | {"error": {"message": "late"}}',
        ),
        (
            [(MS, b'{"choices": [{"message": {"content": "a"}}], "error": {"message": "late"}}')],
            {"content_type": "application/json"},
            "error      | late",
        ),
        ([(MS, b"event: tick\ndata: 7\n\n")], {"path": b"/events"}, "tick       | 7"),
        ([], {"status": None, "end": "upstream-error"}, "no response"),
    ],
)
def test_everything_else_is_shown_as_what_it_is(pieces, more, expected):
    assert expected in "\n".join(shown(pieces, **more))


@pytest.mark.parametrize(("times", "known"), [("headers", ["ended", "end"]), ("none", [])])
def test_times_that_are_not_known_are_not_shown(times, known):
    found = exchange([(200 * MS, data(chunk({"content": "a"})))])
    found.request = msgspec.structs.replace(found.request, times=times)
    lines = [line for line in readable(found) if " ms" in line]
    assert len(lines) == len(known)
    assert not any("first byte" in line for line in lines)


@given(st.lists(st.tuples(st.integers(0, 10**10), st.binary(min_size=1, max_size=60)), max_size=5), st.data())
def test_nothing_in_a_recording_makes_it_raise(pieces, more):
    content_type = more.draw(st.sampled_from(["text/event-stream", "application/x-ndjson", "", "a/b"]))
    encoding = more.draw(st.sampled_from(["", "gzip", "br", "no-such"]))
    found = exchange(pieces, content_type=content_type, encoding=encoding, body=more.draw(st.binary()))
    assert all("\n" not in line for line in readable(found))
    comparable(found)


def test_a_client_that_left_with_the_end_mark_had_everything():
    def ending(*pieces, end):
        return comparable(exchange([(MS, piece) for piece in pieces], end=end))[-1]

    text, done = data(chunk({"content": "a"})), b"data: [DONE]\n\n"
    assert ending(text, done, end="client-closed") == ending(text, done, end="complete")
    assert ending(text, end="client-closed") != ending(text, end="complete")
    assert ending(text, done, end="upstream-error") != ending(text, done, end="complete")


def test_notes_and_losses_are_shown():
    found = exchange([(MS, data(chunk({"content": "a"})))])
    found.notes.append(cassette.Note(t=found.request.t_end + 7 * MS, text="odd", exchange=0))
    found.end = msgspec.structs.replace(found.end, chunks=3)
    lines = list(readable(found))
    assert row(lines, "note") == "7.0 ms note | odd"
    assert "2 pieces" in row(lines, "lost")


def test_an_image_in_a_request_is_only_named_and_another_one_is_another():
    def lines(letter):
        part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + letter * 5_000}}
        return shown([], body=json.dumps({"messages": [{"role": "user", "content": [part]}]}).encode())

    assert "5,022 characters" in row(lines("A"), "user")
    assert max(map(len, lines("A"))) < 300
    assert lines("A" * 2)[2] != lines("AB")[2] != lines("BA")[2]


@pytest.mark.parametrize("depth", [50, 300, 900])
def test_a_message_however_deep_is_shown_or_described(depth):
    content = b"[" * depth + b"]" * depth
    lines = shown([], body=b'{"messages": [{"role": "user", "content": %s}]}' % content)
    assert lines[-1].endswith("| complete")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 900 + b"1" + b"}" * 900, gzip.compress(b"{}", mtime=0)]
)
def test_bodies_made_to_break_readers_are_shown(body):
    found = exchange([(1, body)], body=body, content_type="application/json", path=b"/x")
    assert list(readable(found))
    assert comparable(found)


def test_what_is_compared_has_neither_times_nor_ids():
    def answer(t, name):
        return comparable(
            exchange([(t, data(chunk({"content": "a"}, id=name))), (t + 1, data(chunk({}, "stop", id=name)))])
        )

    assert (
        answer(MS, "x")
        == answer(900 * MS, "y")
        == [
            "status     | 200",
            "content    | a",
            "finish     | stop",
            "end        | complete",
        ]
    )
    unknown = [
        comparable(exchange([(1, body)], path=b"/x", content_type="a/json"))
        for body in (b'{"b": {"id": 1}, "a": 1}', b'{"a":1,"b":{"id":2}}')
    ]
    assert unknown[0] == unknown[1]
