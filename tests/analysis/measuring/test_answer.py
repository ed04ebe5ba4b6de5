"""An answer that is read all at once is what it is read event by event, split in any way."""

import json
from dataclasses import fields

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams import split
from tokentape.analysis.measuring import _answer
from tokentape.analysis.measuring._columns import ints
from tokentape.cassette import events
from tokentape.dialects import DIALECTS

CHAT = DIALECTS["openai-chat"]


def chunk(delta, finish=None, *, index=0, **more):
    return {"model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def usage(output, **more):
    return {"prompt_tokens": 5, "completion_tokens": output, **more}


def said(text, finish=None, **more):
    return chunk({"content": text}, finish, **more)


COMMON = [said(" a"), chunk({"content": "春", "role": ""}, ""), said("\ud83d\ude00"),
          said("b", usage=usage(7)), said("c", usage=usage(2**53))]  # fmt: skip
RARE = [chunk({}), said(""), said(None), said([{"text": "p"}]), chunk({}, "stop"), said("d", "length"),
        said("d", "null"), said("d", index=1), said("d", index=1.0), said("d", index="2"),
        said("d", index=None), said("d", index=2**70), chunk({"reasoning_content": "r"}),
        chunk({"content": "f", "reasoning": "r"}),
        chunk({"content": "f", "refusal": "no"}), chunk({"tool_calls": [{"function": {"name": "n"}}]}),
        said("g", error="x"), said("g", error=False), said("g", object="error"), said("g", object=3),
        said("j", usage={}), said("j", usage=usage("8")), said("j", usage=usage(8.0)),
        said("j", usage=usage(8, prompt_tokens_details={"cached_tokens": 3})),
        said("j", usage=usage(8, completion_tokens_details={"reasoning_tokens": 3})),
        said("k", model=None), said("k", model="other"), said("m", x_groq={"usage": usage(4)}),
        {"error": {"message": "broken"}}, {"choices": []}, {"choices": [], "usage": usage(9)},
        {"text": "l"}, {},
        {"choices": None}, {"choices": {}}, {"choices": [None]}, {"choices": [{"delta": "x"}]},
        {"choices": [*said("h")["choices"], *said("i", index=1)["choices"]]},
        {"choices": [{"index": 0, "delta": {"content": "n"}, "usage": usage(3)}]}]  # fmt: skip
# What begins and ends with braces, and is no object, or more than one.
WRONG = [b"{} {}", b'{"choices":[]}{}', b'{"a":{}', b'{"a":"}', b'{"}', b"{,}", b'{"model":"\xff"}', b"{\0}",
         b'{"choices":[{"index":0,"delta":{"content":"\\ud83d"}}]}', b'{"choices":[{"index":NaN}]}', b"{nan}",
         b'{"choices":[{"index":0,"delta":{"content":"x"}}]}{"choices":[{"index":0,"delta":{"content":"y"}}]}',
         b'{"choices":[{"index":0,"index":1,"delta":{"content":"x"},"delta":{"content":"y"}}]}',
         b'{"choices":[{"index":0,"delta":{"content":"\xe6"}}]}', b'{"' + b"[" * 2000 + b"}"]  # fmt: skip

common = st.sampled_from([json.dumps(each).encode() for each in COMMON])
any_data = st.one_of(
    common, st.sampled_from([json.dumps(each).encode() for each in RARE]), st.sampled_from(WRONG)
)
streams = st.one_of(
    st.lists(any_data, min_size=1, max_size=12),
    # Long ones, with much that is common and little that is not.
    st.builds(
        lambda head, middle, at, odd, tail: head + middle[:at] + odd + middle[at:] + tail,
        st.lists(any_data, max_size=3),
        st.lists(common, min_size=16, max_size=40),
        st.integers(0, 40),
        st.lists(any_data, max_size=1),
        st.lists(any_data, max_size=3),
    ),
)


@pytest.mark.parametrize("bills", [(80, 0), (0, 80), (80, None), (5, 80, 0)])
@pytest.mark.parametrize("batch", [1, 4096])
def test_cached_tokens_are_the_most_that_any_bill_says(monkeypatch, bills, batch):
    monkeypatch.setattr(_answer, "_BATCH", batch)
    details = [{} if hit is None else {"prompt_tokens_details": {"cached_tokens": hit}} for hit in bills]
    pieces = [
        b"data: " + json.dumps(said("a", usage=usage(7, **more))).encode() + b"\n\n" for more in details
    ]
    assert _answer._one_by_one(events(pieces), CHAT).cached == 80
    found, expected = read_in_both_ways(pieces)
    if found is not None:
        assert_equal(found, expected)


def read_in_both_ways(pieces):
    expected = _answer._one_by_one(events(pieces), CHAT)
    found = _answer._all_at_once(pieces, ints([len(piece) for piece in pieces]), CHAT)
    return found, expected


def assert_equal(found, expected):
    for name in ("events", "seen", "usage", "usage_row", "cached", "model", "error", "last_words"):
        assert getattr(found, name) == getattr(expected, name), name
    made, wanted = found.rows(), expected.rows()
    for column in fields(made):
        assert list(getattr(made, column.name)) == list(getattr(wanted, column.name)), column.name


@pytest.mark.parametrize("odd", [*(json.dumps(each).encode() for each in RARE + COMMON), *WRONG])
@pytest.mark.parametrize(("around", "times"), [(10, 1), (10, 20), (0, 20)])
def test_whatever_is_among_common_chunks_is_read_the_same_in_both_ways(odd, around, times):
    usual = [b"data: " + json.dumps(COMMON[0]).encode() + b"\n\n"] * around
    found, expected = read_in_both_ways([*usual, *[b"data: " + odd + b"\n\n"] * times, *usual])
    if found is not None:
        assert_equal(found, expected)


@settings(max_examples=400)
@given(streams, st.booleans(), st.sampled_from([3, 16, 4096]), st.data())
def test_all_at_once_and_event_by_event_say_the_same(datas, ended, batch, drawn):
    body = b"".join(b"data: " + data + b"\n\n" for data in datas) + b"data: [DONE]\n\n" * ended
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_answer, "_BATCH", batch)
        found, expected = read_in_both_ways(split(drawn, body))
    if found is not None:
        assert_equal(found, expected)


@given(st.lists(common, min_size=1, max_size=40), st.booleans())
def test_what_is_common_is_read_all_at_once(datas, ended):
    body = b"".join(b"data: " + data + b"\n\n" for data in datas) + b"data: [DONE]\n\n" * ended
    found, expected = read_in_both_ways([body])
    assert found is not None
    assert_equal(found, expected)


def test_recorded_streams_are_read_the_same_in_both_ways(corpus):
    at_once = 0
    for file in sorted(corpus.rglob("*.sse")):
        *lines, rest = file.read_bytes().split(b"\n")
        found, expected = read_in_both_ways([*(line + b"\n" for line in lines), rest])
        if found is not None:
            at_once += 1
            assert_equal(found, expected)
    assert at_once > 40
