"""The examples of the WHATWG's HTML Living Standard (9.2.6) and what providers send, fed in every cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokentape.cassette import ServerSentEvent, SSEDecoder


def decode(*pieces: bytes) -> list[ServerSentEvent]:
    decoder = SSEDecoder()
    events = [event for piece in pieces for event in decoder.feed(piece)]
    last = decoder.end()
    return [*events, last] if last else events


def datas(*pieces: bytes) -> list[bytes]:
    return [event.data for event in decode(*pieces) if event.terminated]


STANDARD = {
    "stock ticker": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [b"YHOO\n+2\n10"]),
    "comment, then two events with and without id": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [b"first event", b"second event", b" third event"],
    ),
    "empty data dispatches, the last without a blank line does not": (
        b"data\n\ndata\ndata\n\ndata:",
        [b"", b"\n"],
    ),
    "one space after the colon is dropped": (b"data:test\n\ndata: test\n\n", [b"test", b"test"]),
    "CRLF": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [b"a\nb", b"c"]),
    "CR alone": (b"data: a\rdata: b\r\rdata: c\r\r", [b"a\nb", b"c"]),
    "mixed line ends": (b"data: a\r\n\ndata: b\n\r\ndata: c\r\r\n", [b"a", b"b", b"c"]),
    "a BOM at the start": (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
    "a BOM elsewhere is part of a field's name": (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
    "U+2028 and U+0085 end no line": ("data: a\u2028b\u0085c\n\n".encode(), ["a\u2028b\u0085c".encode()]),
    "form feed and vertical tab end no line": (b"data: a\x0cb\x0bc\n\n", [b"a\x0cb\x0bc"]),
    "unknown fields": (b"date: x\n dat: y\nfoo\ndata: a\n\n", [b"a"]),
    "NUL in an id is ignored, in data it is kept": (b"id: a\0b\ndata: x\0y\n\n", [b"x\0y"]),
}


@pytest.mark.parametrize("name", STANDARD)
def test_the_standards_examples(name):
    stream, expected = STANDARD[name]
    assert datas(stream) == expected


@pytest.mark.parametrize("name", STANDARD)
def test_cuts_change_nothing(name):
    stream, _ = STANDARD[name]
    whole = [event._replace(piece=0) for event in decode(stream)]
    assert [event._replace(piece=0) for event in decode(*[bytes([byte]) for byte in stream])] == whole
    for cut in range(len(stream) + 1):
        assert [event._replace(piece=0) for event in decode(stream[:cut], stream[cut:])] == whole


@given(st.data())
def test_any_cuts_of_any_stream_change_nothing(data):
    parts = [b"data:", b" ", b"x", b"\r", b"\n", b":", b"id", "é".encode(), b"\xef\xbb\xbf"]
    alphabet = st.sampled_from(parts)
    stream = b"".join(data.draw(st.lists(alphabet, max_size=30)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    pieces = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    assert [e._replace(piece=0) for e in decode(*pieces)] == [e._replace(piece=0) for e in decode(stream)]


def test_an_event_belongs_to_the_piece_that_held_its_last_byte():
    events = decode(b"data: a\n", b"\ndata: b\n\ndata: c", b"", b"\n\n")
    assert [(event.data, event.piece) for event in events] == [(b"a", 1), (b"b", 1), (b"c", 3)]


def test_a_cr_at_the_end_of_a_piece_completes_the_event_there():
    events = decode(b"data: a\r\n\r", b"\ndata: b\r\n\r\n")
    assert [(event.data, event.piece) for event in events] == [(b"a", 0), (b"b", 1)]


def test_event_id_and_retry():
    first, second, third = decode(b"event: error\nid: 7\nretry: 10\ndata: a\n\ndata: b\n\nid\ndata: c\n\n")
    assert (first.event, first.id, first.retry) == ("error", "7", 10)
    assert (second.event, second.id) == ("message", "7")
    assert third.id == ""


@pytest.mark.parametrize("digits", [b"9" * 19, b"9" * 5000, b"1.5", b"-1", "٣".encode()])
def test_a_retry_that_is_no_number_of_milliseconds_is_ignored(digits):
    (event,) = decode(b"retry: " + digits + b"\ndata: a\n\n")
    assert event.retry is None


def test_an_event_type_without_data_is_forgotten():
    assert [event.event for event in decode(b"event: ping\n\ndata: a\n\n")] == ["message"]


def test_comments_are_counted_and_are_no_events():
    decoder = SSEDecoder()
    assert decoder.feed(b": keep-alive\n\n:\n\ndata: a\n\n") == [ServerSentEvent(b"a", 0)]
    assert decoder.comments == 2


@pytest.mark.parametrize("tail", [b"data: [DONE]", b"data: [DONE]\n"])
def test_an_event_whose_blank_line_never_came_is_told_as_unterminated(tail):
    *_, last = decode(b"data: a\n\n" + tail)
    assert last == ServerSentEvent(b"[DONE]", 0, terminated=False)


def test_a_character_split_between_pieces_is_whole():
    text = "data: 你好🙂\n\n".encode()
    for cut in range(len(text)):
        (event,) = decode(text[:cut], text[cut:])
        assert event.text == "你好🙂"


def test_what_is_not_utf8_is_kept_as_bytes_and_shown_as_a_browser_would():
    (event,) = decode(b"data: \xff\xfe\n\n")
    assert event.data == b"\xff\xfe"
    assert event.text == "\ufffd\ufffd"


def test_the_parts_of_a_long_line_are_joined_once():
    decoder = SSEDecoder()
    for _ in range(1000):
        decoder.feed(b"x" * 500)
    assert len(decoder._line) == 1000  # joined at every piece, a long line would take quadratic time
    decoder.feed(b"\n")
    assert decoder._line == []
