import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.replay.recordings import post
from tokentape.replay.matching._seen import Seen
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._requests import IncomingRequest, Refusal, RequestReader

CHUNKED = (
    b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"
)


def read(data, pieces=None, **limits):
    reader = RequestReader(Limits(**limits))
    found = [each for piece in pieces or [data] for each in reader.feed(piece)]
    return [replace(each, headers=()) if isinstance(each, IncomingRequest) else each for each in found]


def request(**kwargs):
    return IncomingRequest(
        **{
            "method": "POST",
            "target": b"/a",
            "http_version": "1.1",
            "body": b"abc",
            "keep_alive": True,
            **kwargs,
        }
    )


@pytest.mark.parametrize("data", [post(b"abc", path="/a"), CHUNKED], ids=["length", "chunked"])
def test_a_request_split_at_every_byte_is_the_same(data):
    assert read(data) == [request()]
    for cut in range(1, len(data)):
        assert read(data, [data[:cut], data[cut:]]) == [request()]
    assert read(data, [data[i : i + 1] for i in range(len(data))]) == [request()]


def test_pipelined_requests_come_in_order():
    data = post(b"abc", path="/a") + CHUNKED + post(b"", path="/b")
    expected = [request(), request(), request(target=b"/b", body=b"")]
    assert read(data) == expected
    assert read(data, [data[i : i + 7] for i in range(0, len(data), 7)]) == expected


def test_a_request_has_its_headers_in_order_as_they_were_sent():
    (found,) = RequestReader().feed(post(b"", headers="X-B: 1\r\nx-a: 2\r\nX-B: 3\r\n"))
    assert found.headers == (
        (b"Host", b"localhost"),
        (b"X-B", b"1"),
        (b"x-a", b"2"),
        (b"X-B", b"3"),
        (b"Content-Length", b"0"),
    )


def test_who_keeps_the_connection():
    assert not read(post(b"abc", path="/a", headers="Connection: close\r\n"))[0].keep_alive
    assert not read(post(b"abc", path="/a", version="1.0"))[0].keep_alive


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 2_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * 2_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 300 + b"\r\n", 431),
        (post(b"x" * 5_001), 413),
        (CHUNKED[:70] + b"1fff\r\n" + b"x" * 5_001, 413),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + b"9" * 30 + b"\r\n\r\n", 413),
    ],
)
def test_what_is_no_request_is_refused_once_and_ends_the_reading(data, status):
    limits = {"max_head_bytes": 1_000, "max_body_bytes": 5_000}
    for pieces in ([data], [data[i : i + 1] for i in range(len(data))]):
        (found,) = read(data, [*pieces, post()], **limits)
        assert isinstance(found, Refusal)
        # A length that no integer holds is refused by the parser, before the limit is looked at.
        assert found.status == status or (found.status, status) == (400, 413)


@pytest.mark.parametrize("endless", [b"A: ", b"A", b"GET /"])
def test_a_head_that_does_not_end_is_refused_before_it_fills_the_memory(endless):
    start = b"" if endless.startswith(b"GET") else b"GET / HTTP/1.1\r\nHost: a\r\n"
    reader = RequestReader(Limits(max_head_bytes=1_000))
    reader.feed(start + endless)
    found = [item for _ in range(20) for item in reader.feed(b"x" * 100)]
    assert [item.status for item in found] == [431]


@pytest.mark.parametrize("endless", [b"0\r\nT: ", b"0\r\nT", b"1;", b"1"])
def test_a_body_whose_framing_does_not_end_is_refused_before_it_fills_the_memory(endless):
    reader = RequestReader(Limits(max_head_bytes=1_000))
    assert reader.feed(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n") == []
    reader.feed(endless)
    found = [item for _ in range(20) for item in reader.feed(b"0" * 100)]
    assert [item.status for item in found] in ([431], [400])


def test_a_body_of_chunks_of_one_byte_is_as_good_as_another():
    data = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * 2_000
    pieces = [data[i : i + 7] for i in range(0, len(data), 7)]
    assert read(data, [*pieces, b"0\r\n\r\n"], max_head_bytes=1_000) == [request(body=b"x" * 2_000)]


def test_a_good_request_before_a_bad_one_is_handed_out():
    good, bad = read(post(b"abc", path="/a") + b"\0\0\0")
    assert good == request()
    assert isinstance(bad, Refusal)


@pytest.mark.parametrize("body", [b"abc", b""])
def test_the_wish_for_another_protocol_is_ignored_wherever_the_bytes_are_split(body):
    headers = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    data = post(body, path="/a", headers=headers)
    both = data + CHUNKED
    expected = [request(body=body), request()]
    for cut in range(len(both)):
        assert read(both, [both[:cut], both[cut:]]) == expected
    assert read(data, [data[i : i + 1] for i in range(len(data))]) == expected[:1]


def test_a_client_that_takes_it_for_a_proxy_is_told():
    (found,) = read(b"CONNECT api.example:443 HTTP/1.1\r\nHost: api.example:443\r\n\r\n")
    assert (found.status, "base URL" in found.message) == (501, True)


def test_an_expectation_is_told_once_and_only_while_the_body_is_missing():
    data = post(b"abc", headers="Expect: 100-Continue\r\n")
    reader = RequestReader()
    assert not reader.take_expectation()
    reader.feed(data[:30])
    assert not reader.take_expectation()
    reader.feed(data[30:-3])
    assert reader.take_expectation()
    assert not reader.take_expectation()
    assert len(reader.feed(data[-3:])) == 1
    reader.feed(data)
    assert not reader.take_expectation()


def test_http_10_expects_nothing():
    reader = RequestReader()
    reader.feed(post(b"abc", version="1.0", headers="Expect: 100-continue\r\n")[:-3])
    assert not reader.take_expectation()


ONE_CONNECTION = [
    post(b"abc", path="/a"),
    CHUNKED,
    b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\r\nGET /b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /b HTTP/1.1\r\nHost: x\r\n\r\n\r",
    b"GET /c HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /e HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    post(b"abc", path="/f", headers="Expect: 100-continue\r\n"),
    post(b"ab\r", path="/g"),
    b"GET /none HTTP/1.1\r\n\r\n",
    b"\r",
    b"\n",
    b"\x00",
]


@given(st.data())
def test_a_reader_that_knows_requests_by_their_bytes_reads_as_one_that_does_not(data):
    """Over connections of requests that come whole, in halves and several at a time."""
    seen = Seen(data.draw(st.sampled_from([1_000, 1_000_000])))
    whole = st.sampled_from(ONE_CONNECTION)
    halves = st.builds(
        lambda each, cut: [each[:cut], each[cut:]], st.sampled_from(ONE_CONNECTION), st.integers(0, 40)
    )
    reads = st.one_of(
        whole.map(lambda each: [each]), halves, st.tuples(whole, whole).map(lambda two: [b"".join(two)])
    )
    for connection in data.draw(st.lists(st.lists(reads, max_size=6), max_size=6)):
        knowing, fresh = RequestReader(seen=seen), RequestReader()
        for read in (piece for each in connection for piece in each):
            assert knowing.feed(read) == fresh.feed(read)
            assert knowing.take_expectation() == fresh.take_expectation()


def test_after_a_refusal_nothing_is_known_again():
    asked = post(b"")
    reader = RequestReader(Limits(max_head_bytes=len(asked)), seen=Seen(10_000))
    assert len(reader.feed(asked)) == 1
    (refused,) = reader.feed(b"\r\n" * len(asked))  # empty lines, which may stand before a request
    assert isinstance(refused, Refusal)
    assert reader.feed(asked) == []


def test_a_body_that_is_a_known_request_is_a_body():
    seen = Seen(10_000)
    asked = post(b"abc")
    RequestReader(seen=seen).feed(asked)
    reader = RequestReader(seen=seen)
    assert reader.feed(post(asked).removesuffix(asked)) == []
    (found,) = reader.feed(asked)
    assert found.body == asked


def test_a_request_with_the_beginning_of_another_is_not_known_by_both():
    seen = Seen(10_000)
    one, other = post(b"abc"), post(b"de")
    for _ in range(2):
        reader = RequestReader(seen=seen)
        (found,) = reader.feed(one + other[:-1])
        assert found.body == b"abc"
        assert reader.begun
        (found,) = reader.feed(other[-1:])
        assert found.body == b"de"


def test_a_request_that_came_before_is_not_parsed_again(monkeypatch):
    seen = Seen(10_000)
    (first,) = RequestReader(seen=seen).feed(post(b"abc"))
    reader = RequestReader(seen=seen)
    monkeypatch.setattr(reader, "_parse", None)
    assert reader.feed(post(b"abc")) == [first]


@pytest.mark.parametrize("data", [post(b"abc", path="/a"), CHUNKED], ids=["length", "chunked"])
def test_a_request_is_begun_from_its_first_byte_to_its_last(data):
    reader = RequestReader()
    assert not reader.begun
    for _ in range(2):
        begun = []
        for i in range(len(data)):
            reader.feed(data[i : i + 1])
            begun.append(reader.begun)
        assert begun == [True] * (len(data) - 1) + [False]
    reader.feed(data + data[:1])
    assert reader.begun
