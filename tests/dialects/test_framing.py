from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tokentape.dialects import decoder_of, is_lines
from tokentape.dialects._framing import LineDecoder

BODY = b'{"a":1}\r\n\n{"b":"\xc3\xa9\xe2\x80\xa8"}\n[3]\n{"last":true}'
LINES = [b'{"a":1}', b'{"b":"\xc3\xa9\xe2\x80\xa8"}', b"[3]", b'{"last":true}']


def events(pieces):
    decoder = LineDecoder()
    found = [event for piece in pieces for event in decoder.feed(piece)]
    last = decoder.end()
    return found + ([last] if last else [])


@given(st.lists(st.integers(0, len(BODY)), max_size=6))
def test_lines_are_the_same_however_they_are_cut_and_name_the_piece_that_ended_them(cuts):
    edges = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[start:end] for start, end in pairwise(edges)]
    found = events(pieces)
    assert [event.data for event in found] == LINES
    assert {event.event for event in found} == {"line"}
    for event in found[:-1]:
        end = BODY.index(event.data) + len(event.data)
        newline = BODY.index(b"\n", end)
        assert sum(map(len, pieces[: event.piece])) <= newline < sum(map(len, pieces[: event.piece + 1]))


def test_a_last_line_without_an_end_is_whole_if_it_is_json():
    assert [event.terminated for event in events([b'{"a":1}\n{"b":2}'])] == [True, True]
    assert [event.terminated for event in events([b'{"a":1}\n{"b":'])] == [True, False]
    assert events([b"", b"\n", b"  \r\n "]) == []


def test_a_last_line_has_no_carriage_return_either():
    found = events([b'{"a":1}\r\n{"b":2}', b"\r"])
    assert [(event.data, event.piece, event.terminated) for event in found] == [
        (b'{"a":1}', 0, True),
        (b'{"b":2}', 1, True),
    ]


def test_the_content_type_tells_lines_from_an_event_stream():
    assert is_lines([(b"content-type", b"Application/X-NDJSON; charset=utf-8")])
    assert not is_lines([(b"content-type", b"text/event-stream")])
    assert not is_lines([])
    assert decoder_of([(b"content-type", b"text/event-stream")]).feed(b"data: 1\n\n")[0].data == b"1"
