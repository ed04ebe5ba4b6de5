"""An answer without its framing, and back: nothing is lost on the way."""

import pytest
from hypothesis import given

from tests.replay.faults.strategies import answers
from tests.replay.recordings import MS, as_exchange, exchange
from tokentape.replay._wire import prepare
from tokentape.replay.faults._unframed import unframed
from tokentape.replay.timing._timing import Timing


def laid(**recorded):
    return unframed(prepare(as_exchange(exchange(**recorded)), timing=Timing()))


@given(answers())
def test_framed_again_it_is_the_same_bytes_at_the_same_times(drawn):
    answer, at_once = drawn
    again = unframed(answer).framed(at_once=at_once)
    assert again.parts == answer.parts
    assert (again.closes, again.framing) == (answer.closes, answer.framing)


def test_the_pieces_are_those_of_the_recording():
    answer = laid(trailers=((b"X-Sum", b"1"),))
    assert answer.pieces == ((2 * MS, b"data: 1\n\n"), (3 * MS, b"data: [DONE]\n\n"))
    assert answer.end == (4 * MS, b"0\r\nX-Sum: 1\r\n\r\n")
    assert answer.body == b"data: 1\n\ndata: [DONE]\n\n"


def test_without_a_content_length_it_is_chunked():
    headers = ((b"content-LENGTH", b"2"), (b"X", b"1"))
    answer = laid(headers=headers, pieces=[(2, b"ab")]).chunked()
    assert answer.headers == ((b"X", b"1"), (b"transfer-encoding", b"chunked"))
    assert [data for _, data in answer.framed(at_once=False).parts] == [
        b"HTTP/1.1 200 OK\r\nX: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        b"2\r\nab\r\n",
        b"0\r\n\r\n",
    ]


@pytest.mark.parametrize(
    ("recorded", "has_body"),
    [
        ({}, True),
        ({"pieces": []}, True),  # chunked, with no chunk but the last
        ({"method": "HEAD", "pieces": []}, False),
        ({"status": 204, "pieces": []}, False),
        ({"status": 304, "pieces": []}, False),
        ({"headers": ((b"Content-Length", b"0"),), "pieces": []}, False),
        ({"status": None, "end_reason": "client-closed"}, False),
        ({"status": None, "end_reason": "upstream-error"}, True),  # the proxy's 502
    ],
)
def test_what_has_a_body(recorded, has_body):
    assert laid(**recorded).has_body == has_body


def test_an_answer_that_never_began_stays_so():
    answer = laid(status=None, end_reason="client-closed")
    assert answer.head == (4 * MS, b"")
    assert answer.framed(at_once=False).parts == ((4 * MS, b""),)


@pytest.mark.parametrize("framed", [{}, {"headers": ((b"content-length", b"1540"),)}])
@pytest.mark.parametrize("bytes_of_a_piece", [1, 7, 700, 1539, 1540])
def test_at_instant_the_pieces_are_those_of_the_recording_too(framed, bytes_of_a_piece):
    body = bytes(range(220)) * 7
    cut = [body[start : start + bytes_of_a_piece] for start in range(0, len(body), bytes_of_a_piece)]
    recorded = as_exchange(exchange(pieces=[(2, data) for data in cut], **framed))
    answer = prepare(recorded, timing=Timing(speed="instant"))
    assert len(answer.parts) == 1
    assert [data for _, data in unframed(answer).pieces] == cut
    assert unframed(answer).framed(at_once=True).parts == answer.parts
