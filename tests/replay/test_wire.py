import gzip

import pytest
from msgspec.structs import replace

from tests.replay.recordings import MS, SSE_HEADERS, as_exchange, exchange
from tokentape.replay import _wire
from tokentape.replay._errors import Unservable
from tokentape.replay._wire import prepare
from tokentape.replay.timing._timing import Timing


def answer(*, speed=1.0, **kwargs):
    return prepare(as_exchange(exchange(**kwargs)), timing=Timing(speed=speed))


def fields(parts):
    return parts[0][1].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]


def test_each_piece_is_one_chunk_at_its_time():
    assert answer().parts == (
        (1 * MS, b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"),
        (2 * MS, b"9\r\ndata: 1\n\n\r\n"),
        (3 * MS, b"e\r\ndata: [DONE]\n\n\r\n"),
        (4 * MS, b"0\r\n\r\n"),
    )


def test_speed_scales_every_time():
    assert [offset for offset, _ in answer(speed=4.0).parts] == [250_000, 500_000, 750_000, 1_000_000]


def test_instant_keeps_the_chunks_in_one_write():
    slow, instant = answer().parts, answer(speed="instant").parts
    assert [offset for offset, _ in instant] == [0]
    assert b"".join(data for _, data in instant) == b"".join(data for _, data in slow)


def test_what_is_too_long_for_one_write_is_cut_between_chunks(monkeypatch):
    pieces = [(2, b"x" * size) for size in (1, 30, 7, 7, 7, 90, 1)]
    whole = b"".join(data for _, data in answer(pieces=pieces).parts)
    for most in range(1, 300):
        monkeypatch.setattr(_wire, "_MAX_WRITE_BYTES", most)
        found = answer(pieces=pieces, speed="instant")
        assert b"".join(data for _, data in found.parts) == whole
        assert {offset for offset, _ in found.parts} == {0}
        chunks = [data for _, data in answer(pieces=pieces).parts]
        assert all(len(data) <= most or data in chunks for _, data in found.parts)
        sent = b"".join(data for _, data in found.for_http10())
        assert sent.partition(b"\r\n\r\n")[2] == b"".join(data for _, data in pieces)


def test_fields_come_back_in_order_and_spelling_less_the_hop_by_hop_ones():
    headers = (
        (b"x-Request-ID", b"1"),
        (b"Connection", b"close, X-Private"),
        (b"Keep-Alive", b"timeout=5"),
        (b"x-private", b"1"),
        (b"transfer-encoding", b"chunked"),
        (b"Set-Cookie", b"a"),
        (b"set-cookie", b"b"),
        (b"Proxy-Authenticate", b"x"),
        (b"TE", b"trailers"),
        (b"Trailer", b"x"),
        (b"Upgrade", b"h2c"),
    )
    assert fields(answer(headers=headers).parts) == [
        b"x-Request-ID: 1",
        b"transfer-encoding: chunked",
        b"Set-Cookie: a",
        b"set-cookie: b",
    ]


def test_status_and_reason_come_back_even_if_they_are_unusual():
    assert answer(status=299, reason=b"Fine, \xe9").parts[0][1].startswith(b"HTTP/1.1 299 Fine, \xe9\r\n")
    assert answer(reason=b"").parts[0][1].startswith(b"HTTP/1.1 200 \r\n")


def test_what_was_recorded_without_framing_gets_chunks():
    assert fields(answer(headers=((b"A", b"1"),)).parts) == [b"A: 1", b"transfer-encoding: chunked"]


def test_a_body_with_a_length_goes_as_it_came_and_ends_with_its_last_piece():
    found = answer(headers=((b"Content-Length", b"5"),), pieces=((2, b"ab"), (3, b"cde")), end_ms=9)
    assert found.parts[1:] == ((2 * MS, b"ab"), (3 * MS, b"cde"))
    assert fields(found.parts) == [b"Content-Length: 5"]
    assert not found.closes


def test_a_length_that_is_too_short_is_replaced_by_chunks():
    found = answer(headers=((b"Content-Length", b"1"),), pieces=((2, b"ab"),))
    assert fields(found.parts) == [b"transfer-encoding: chunked"]


@pytest.mark.parametrize("lengths", [("5", "5"), ("5, 5",)])
def test_a_length_that_is_said_twice_is_one(lengths):
    headers = tuple((b"Content-Length", length.encode()) for length in lengths)
    assert answer(headers=headers, pieces=((2, b"abcde"),)).framing == b""


@pytest.mark.parametrize("lengths", [("5", "6"), ("x",), ("-5",), ("",), ("9" * 5_000,)])
def test_a_length_that_is_none_is_replaced_by_chunks(lengths):
    headers = tuple((b"Content-Length", length.encode()) for length in lengths)
    found = answer(headers=headers, pieces=((2, b"abcde"),))
    assert fields(found.parts) == [b"transfer-encoding: chunked"]


def test_a_body_shorter_than_its_length_ends_with_the_connection():
    found = answer(headers=((b"Content-Length", b"5"),), pieces=((2, b"ab"),))
    assert found.closes
    assert found.parts[-1] == (4 * MS, b"")


def test_empty_pieces_are_left_out_since_they_would_end_the_body():
    found = answer(pieces=((2, b""), (3, b"x")))
    assert found.parts[1:] == ((3 * MS, b"1\r\nx\r\n"), (4 * MS, b"0\r\n\r\n"))


def test_trailers_come_back_after_the_last_chunk():
    assert answer(trailers=((b"X-T", b"1"),)).parts[-1] == (4 * MS, b"0\r\nX-T: 1\r\n\r\n")


@pytest.mark.parametrize("status", [204, 304])
def test_statuses_without_a_body_have_none(status):
    found = answer(status=status, headers=((b"A", b"1"), (b"Transfer-Encoding", b"chunked")), pieces=())
    assert fields(found.parts) == [b"A: 1"]
    assert len(found.parts) == 1


def test_the_answer_to_head_keeps_the_length_of_the_body_that_it_leaves_out():
    found = answer(method="HEAD", headers=((b"Content-Length", b"500"),), pieces=())
    assert fields(found.parts) == [b"Content-Length: 500"]
    assert len(found.parts) == 1
    assert not found.closes


CUT = ((2, b"data: 1\n\n"), (3, b"data: 2\n\n"))


@pytest.mark.parametrize("end_reason", ["upstream-error", "client-closed", "recorder-stopped"])
def test_a_bad_end_comes_at_its_time_without_the_last_chunk(end_reason):
    found = answer(end_reason=end_reason, pieces=CUT)
    assert found.closes
    assert found.parts[-2:] == ((3 * MS, b"9\r\ndata: 2\n\n\r\n"), (4 * MS, b""))


@pytest.mark.parametrize("encoding", [b"identity", b"gzip"])
def test_a_client_that_hung_up_at_done_had_the_whole_answer(encoding):
    body = b"data: 1\n\ndata: [DONE]\n\n"
    pieces = ((2, gzip.compress(body) if encoding == b"gzip" else body),)
    found = answer(
        end_reason="client-closed", pieces=pieces, headers=(*SSE_HEADERS, (b"Content-Encoding", encoding))
    )
    assert not found.closes
    assert found.parts[-1] == (4 * MS, b"0\r\n\r\n")


def test_an_upstream_that_broke_off_after_done_breaks_off_again():
    assert answer(end_reason="upstream-error").closes


def test_without_an_end_record_the_answer_breaks_off_after_its_last_piece():
    found = answer(end_ms=None)
    assert found.closes
    assert found.parts[-1] == (3 * MS, b"")


def test_a_failure_before_any_response_is_answered_502_when_it_failed():
    found = answer(status=None, end_reason="upstream-error", detail="connection refused")
    ((offset, data),) = found.parts
    assert offset == 4 * MS
    assert data.startswith(b"HTTP/1.1 502 Bad Gateway\r\n")
    assert b"connection refused" in data
    assert not found.closes


@pytest.mark.parametrize("end_reason", ["client-closed", "recorder-stopped"])
def test_a_request_that_was_given_up_is_never_answered(end_reason):
    found = answer(status=None, end_reason=end_reason)
    assert found.parts == ((4 * MS, b""),)
    assert found.closes


@pytest.mark.parametrize(
    ("kwargs", "why"),
    [
        ({"chunks": 3}, "1 of its pieces was lost"),
        ({"status": 101}, "switched protocols"),
        ({"status": None, "end_ms": None}, "neither a response nor an end"),
    ],
)
def test_what_cannot_be_served_says_why(kwargs, why):
    with pytest.raises(Unservable, match=why):
        answer(**kwargs)


def test_without_its_request_an_exchange_cannot_be_served():
    with pytest.raises(Unservable, match="its request was lost"):
        prepare(as_exchange(exchange()[1:]), timing=Timing())


def test_a_recorded_line_end_cannot_make_a_header():
    found = answer(headers=((b"A\r\nB", b"1\r\nC: 2\0"),), reason=b"OK\r\nD: 3")
    assert found.parts[0][1].count(b"\r\n") == 4
    assert fields(found.parts)[0] == b"A  B: 1  C: 2 "


def test_a_connection_that_closes_says_so_in_the_last_field():
    found = answer()
    assert fields(found.closing()) == [*fields(found.parts), b"connection: close"]
    assert found.closing()[1:] == found.parts[1:]


@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_http_10_gets_the_pieces_without_chunks(speed):
    headers = ((b"X-Transfer-Encoding", b"1"), *SSE_HEADERS)
    found = answer(headers=headers, speed=speed, trailers=((b"T", b"1"),)).for_http10()
    assert fields(found) == [
        b"X-Transfer-Encoding: 1",
        b"Content-Type: text/event-stream",
        b"connection: close",
    ]
    sent = b"".join(data for _, data in found)
    assert sent.partition(b"\r\n\r\n")[2] == b"data: 1\n\ndata: [DONE]\n\n"


def test_http_10_gets_a_body_with_a_length_as_it_is():
    found = answer(headers=((b"Content-Length", b"4"),), pieces=((2, b"2\r\na"),)).for_http10()
    assert fields(found) == [b"Content-Length: 4", b"connection: close"]
    assert found[1:] == ((2 * MS, b"2\r\na"),)


def test_exchanges_of_different_recordings_have_different_names():
    """By which jitter tells them apart. Where a file lies, and what it is called, does not matter."""

    def name(number=0, **changed):
        found = as_exchange(exchange(number))
        for field, value in changed.items():
            setattr(found, field, value)
        return _wire.script(found).name

    other = replace(as_exchange(exchange()).section, wall_ns=5)
    names = [name(), name(1), name(section_index=1), name(section=other), name(section=None)]
    assert len({*names}) == len(names)
    assert name() == name()


CODED = [
    ((b"Transfer-Encoding", b"gzip, chunked"),),
    ((b"Transfer-Encoding", b"gzip"),),
    ((b"Transfer-Encoding", b"gzip"), (b"Content-Length", b"1000"), (b"transfer-encoding", b"chunked")),
]


@pytest.mark.parametrize("headers", CODED)
@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_another_transfer_coding_than_chunks_is_named_as_long_as_the_body_is_in_it(headers, speed):
    zipped = gzip.compress(b"x" * 1000)
    found = answer(headers=headers, pieces=((2, zipped[:7]), (3, zipped[7:])), speed=speed)
    assert fields(found.parts) == [b"Transfer-Encoding: gzip, chunked"]
    assert not found.closes
    sent = b"".join(data for _, data in found.for_http10())
    head, _, body = sent.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:] == [b"content-encoding: gzip", b"connection: close"]
    assert body == zipped
    assert fields(found.closing()) == [b"Transfer-Encoding: gzip, chunked", b"connection: close"]


def test_identity_is_no_coding_and_those_of_the_content_come_first():
    headers = ((b"Transfer-Encoding", b"identity"), (b"Content-Encoding", b"br"))
    assert fields(answer(headers=headers).parts)[0] == b"Transfer-Encoding: chunked"
    both = answer(headers=((b"Transfer-Encoding", b"deflate, gzip, chunked"), (b"Content-Encoding", b"br")))
    assert fields(both.for_http10()) == [
        b"Content-Encoding: br",
        b"content-encoding: deflate, gzip",
        b"connection: close",
    ]
