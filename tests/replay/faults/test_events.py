"""Where events are: exactly the bytes that make them, whatever stands between."""

import gzip

from hypothesis import given

from tests.replay.faults.strategies import bodies
from tests.replay.recordings import as_exchange, exchange
from tokentape.cassette import SSEDecoder, events
from tokentape.replay._wire import prepare
from tokentape.replay.faults._events import streamed
from tokentape.replay.faults._unframed import unframed
from tokentape.replay.timing._timing import Timing


def found_in(*pieces, **recorded):
    timed = [(number + 2, piece) for number, piece in enumerate(pieces)]
    answer = prepare(as_exchange(exchange(pieces=timed, end_ms=99, **recorded)), timing=Timing())
    return streamed(unframed(answer))


def own(found):
    return [found.answer.body[located.start : located.end] for located in found.events]


@given(bodies())
def test_they_are_those_of_the_decoder_and_come_with_their_last_byte(body):
    found = found_in(body)
    expected = [event._replace(piece=0) for event in events([body])]
    located = found.events if found else ()
    assert [each.event._replace(piece=0) for each in located] == expected
    for number, each in enumerate(located, 1):
        if each.event.terminated:
            assert len(SSEDecoder().feed(body[: each.end])) == number
        (alone,) = events([body[each.start : each.end]])
        assert (alone.data, alone.event) == (each.event.data, each.event.event)
    bounds = [bound for each in located for bound in (each.start, each.end)]
    assert bounds == sorted(bounds)


def test_comments_and_blank_lines_belong_to_no_event():
    found = found_in(b": a\n\ndata: 1\n\n\n: b\n\nevent: x\n\n: c\ndata: 2\n\n")
    assert own(found) == [b"data: 1\n\n", b"data: 2\n\n"]


def test_an_end_of_line_may_be_cut_by_a_piece():
    assert own(found_in(b"data: 1\r", b"\n\r", b"\ndata: 2\r\n\r\n")) == [
        b"data: 1\r\n\r\n",
        b"data: 2\r\n\r\n",
    ]


def test_what_an_answer_was_cut_off_in_is_none():
    stream = b"data: 1\n\ndata: 2\n"
    assert own(found_in(stream, end_reason="upstream-error")) == [b"data: 1\n\n"]
    assert own(found_in(stream)) == [b"data: 1\n\n", b"data: 2\n"]
    ndjson = ((b"Content-Type", b"application/x-ndjson"),)
    assert own(found_in(b"1\n2", headers=ndjson, end_reason="upstream-error")) == [b"1\n"]
    assert own(found_in(b"1\n2", headers=ndjson)) == [b"1\n", b"2"]


def test_in_ndjson_a_line_is_an_event():
    headers = ((b"Content-Type", b"application/x-ndjson; charset=utf-8"),)
    found = found_in(b'{"a":1}\n\n{"a"', b':2}\r\n{"done":true}', headers=headers)
    assert found.lines
    assert own(found) == [b'{"a":1}\n', b'{"a":2}\r\n', b'{"done":true}']


def test_what_is_no_stream_has_none():
    headers = ((b"Content-Type", b"application/json"),)
    assert found_in(b'{\n"data": 1}\n\n', headers=headers) is None


def test_an_encoded_body_is_decoded_for_them():
    body = gzip.compress(b"data: 1\n\ndata: 2\n\n")
    headers = ((b"Content-Encoding", b"gzip"), (b"Content-Length", b"%d" % len(body)))
    found = found_in(body[:15], body[15:], headers=headers)
    assert own(found) == [b"data: 1\n\n", b"data: 2\n\n"]
    assert found.answer.headers == ((b"transfer-encoding", b"chunked"),)


def test_a_body_that_cannot_be_decoded_has_none():
    assert found_in(b"data: 1\n\n", headers=((b"Content-Encoding", b"gzip"),)) is None
    assert found_in(b"data: 1\n\n", headers=((b"Content-Encoding", b"aes128gcm"),)) is None
