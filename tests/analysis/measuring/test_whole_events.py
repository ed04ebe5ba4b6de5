"""All events of a body at once: what is found is what the decoder of server-sent events finds."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams import split
from tokentape.analysis.measuring._columns import ints
from tokentape.analysis.measuring._whole_events import whole_events
from tokentape.cassette import events

OBJECTS = (b'{"a":1}', b"{}", b'{"b":"\xe6\x98\xa5"}', b'{"c":"\\n\\n"}', b"{} {}", b'{\xff"}', b"{\0}")
PLAIN = [b"data: " + data + b"\n\n" for data in OBJECTS]
DONE = b"data: [DONE]\n\n"
ODD = [DONE, b"data:{}\n\n", b"data: {}\n", b"\n", b"data: {}\r\n\r\n", b"data: []\n\n", b"data: {} \n\n",
       b"data: {\n\n", b"data: }\n\n", b": ping\n\n", b"event: error\ndata: {}\n\n", b"}\n\n", b"data: {}",
       b"data: {\ndata: }\n\n", b"data: ", b"id: 1\n", b"\xef\xbb\xbf", b"data: {", DONE[:-2],
       b'data: {"a":\r1}\n\n', b"\r"]  # fmt: skip


def found_in(pieces):
    return whole_events(pieces, ints([len(piece) for piece in pieces]))


def as_the_decoder_finds_them(found, pieces):
    expected = list(events(pieces))
    data = [bytes(found.lines(number, number + 1)).strip() for number in range(len(found))] + [
        b"[DONE]"
    ] * found.ended
    assert data == [each.data for each in expected]
    assert found.read.tolist() == [each.piece for each in expected]
    assert all(each.event == "message" and each.terminated for each in expected)
    lines = bytes(found.lines(0, len(found)))
    assert lines.split() == b" ".join(data[: len(found)]).split()
    for number in range(len(found)):
        assert bytes(found.lines(number, number + 1)).strip() == data[number]


@given(st.lists(st.sampled_from(PLAIN), min_size=1, max_size=8), st.booleans(), st.data())
def test_plain_events_are_found_however_they_are_split(plain, ended, drawn):
    body = b"".join(plain) + DONE * ended
    pieces = split(drawn, body)
    found = found_in(pieces)
    assert found is not None
    as_the_decoder_finds_them(found, pieces)


@settings(max_examples=400)
@given(st.lists(st.sampled_from(PLAIN + ODD), max_size=6), st.data())
def test_what_is_found_is_what_the_decoder_finds_or_nothing_is(parts, drawn):
    pieces = split(drawn, b"".join(parts))
    found = found_in(pieces)
    if found is not None:
        as_the_decoder_finds_them(found, pieces)


@pytest.mark.parametrize("odd", [each for each in ODD if not each.endswith((b"{}", b"{"))])
def test_a_body_with_anything_else_in_it_is_left_to_the_decoder(odd):
    for body in (odd + PLAIN[0], PLAIN[0] + odd + PLAIN[0], PLAIN[0] + odd):
        assert found_in([body]) is None or body.endswith(PLAIN[0] + DONE)


def test_a_body_of_nothing_is_left_to_the_decoder():
    for pieces in ([], [b""], [b"", b""], [DONE], [b"data: {"], [b"}\n\n"], [b"\n\n"]):
        assert found_in(pieces) is None
