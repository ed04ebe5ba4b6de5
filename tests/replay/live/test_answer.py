"""An answer that goes through: what a client reads is what the API said, however it came."""

import gzip
from contextlib import suppress

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.e2e.wire import chunk
from tokentape.replay.live._answer import LiveAnswer

BODY = b"data: 1\r\n\r\ndata: \xc3\xa9\n\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "chunked": CHUNKED + chunk(BODY[:5]) + chunk(BODY[5:]) + b"0\r\n\r\n",
    "extended": CHUNKED + b"5;a=b\r\n" + BODY[:5] + b"\r\n" + chunk(BODY[5:]) + b"0\r\nX-Sum: 1\r\n\r\n",
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY,
    "none": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "old": b"HTTP/1.0 200 Fine\r\nConnection: close\r\n\r\n" + BODY,
    "interim": b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\nLink: x\r\n\r\n"
    + CHUNKED
    + chunk(BODY)
    + b"0\r\n\r\n",
}


class Client:
    """What a client's parser makes of what is written to it."""

    def __init__(self):
        self.body = b""
        self.complete = False
        self.headers = []
        self.parser = httptools.HttpResponseParser(self)

    def on_header(self, name, value):
        self.headers.append((name.lower(), value))

    def on_body(self, data):
        self.body += data

    def on_message_complete(self):
        self.complete = True


def through(raw, cuts=(), **of_client):
    answer = LiveAnswer(**of_client)
    out = []
    start = 0
    for cut in (*sorted(cuts), len(raw)):
        out.append(answer.feed(raw[start:cut]))
        start = cut
    out.append(answer.end())
    return answer, out


@pytest.mark.parametrize("name", ANSWERS)
@given(data=st.data())
def test_however_it_comes_the_client_has_the_body_and_its_end(name, data):
    raw = ANSWERS[name]
    cuts = data.draw(st.sets(st.integers(1, len(raw) - 1), max_size=8) | st.just(set(range(1, len(raw)))))
    answer, out = through(raw, cuts)
    client = Client()
    client.parser.feed_data(b"".join(out))
    assert (client.body, client.complete) == (BODY, True)
    assert (answer.complete, answer.broken, answer.closes, answer.status) == (True, None, False, 200)


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_nothing_is_held_back(name, size):
    raw = ANSWERS[name]
    begin = raw.rindex(b"\r\n\r\n", 0, raw.index(BODY[:5])) + 4
    answer, client = LiveAnswer(), Client()
    client.parser.feed_data(answer.feed(raw[:begin]))
    theirs = Client()
    theirs.parser.feed_data(raw[:begin])
    for start in range(begin, len(raw), size):
        piece = raw[start : start + size]
        theirs.parser.feed_data(piece)
        if out := answer.feed(piece):
            client.parser.feed_data(out)
        assert client.body == theirs.body


@pytest.mark.parametrize("name", ANSWERS)
def test_an_old_client_gets_no_chunks_and_is_closed_on(name):
    answer, out = through(ANSWERS[name], http10=True)
    head, _, body = b"".join(out).partition(b"\r\n\r\n")
    assert body == BODY
    assert b"ransfer-" not in head
    assert head.endswith(b"connection: close")
    assert answer.closes


@pytest.mark.parametrize("name", ["chunked", "extended", "length", "interim"])
def test_a_cut_anywhere_is_never_taken_for_the_end(name):
    raw = ANSWERS[name]
    for size in range(len(raw)):
        answer, out = through(raw[:size])
        assert not answer.complete
        client = Client()
        with suppress(httptools.HttpParserError):
            client.parser.feed_data(b"".join(out))
        assert not client.complete
        assert BODY.startswith(client.body)


def test_what_comes_behind_the_answer_goes_nowhere():
    for behind in (ANSWERS["length"], b"\0garbage"):
        for name in ("chunked", "length"):
            _, out = through(ANSWERS[name] + behind)
            _, alone = through(ANSWERS[name])
            assert out == alone


@pytest.mark.parametrize("status", [204, 304])
def test_answers_without_a_body_end_with_their_head(status):
    raw = b"HTTP/1.1 %d X\r\nETag: 1\r\n\r\n" % status
    answer, out = through(raw)
    assert b"".join(out) == raw
    assert answer.complete
    raw = b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n"
    answer, out = through(raw, to_head=True)
    assert b"".join(out) == raw
    assert answer.complete


def test_fields_of_one_connection_stay_there_and_others_keep_order_and_spelling():
    raw = (
        b"HTTP/1.1 418 I'm a teapot\r\nX-A: 1\r\nKeep-Alive: 5\r\nConnection: x-hop\r\nX-Hop: 1\r\n"
        b"Set-Cookie: a\r\nContent-Length: 0\r\nset-cookie: b\r\nProxy-Authenticate: x\r\n\r\n"
    )
    assert b"".join(through(raw)[1]) == (
        b"HTTP/1.1 418 I'm a teapot\r\nX-A: 1\r\nSet-Cookie: a\r\nContent-Length: 0\r\nset-cookie: b\r\n\r\n"
    )


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * (2 << 20),
    ],
)
def test_what_is_no_answer_is_broken_and_never_begins(raw):
    answer, out = through(raw)
    assert answer.broken
    assert not answer.begun
    assert b"".join(out) == b""


def test_what_came_before_something_broken_is_there():
    answer, out = through(CHUNKED + chunk(b"one") + b"zzz\r\n")
    assert b"".join(out) == CHUNKED + chunk(b"one")
    assert answer.broken
    assert not answer.complete


def test_who_wants_the_connection_closed_is_told_that_it_is():
    answer, out = through(ANSWERS["chunked"], close=True)
    assert b"\r\nconnection: close\r\n\r\n" in b"".join(out)
    assert answer.closes


ZIPPED = gzip.compress(BODY, mtime=0)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n" + chunk(ZIPPED) + b"0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n" + ZIPPED,
    ],
)
def test_another_transfer_coding_than_chunks_is_named_as_long_as_the_body_is_in_it(raw):
    answer, out = through(raw)
    head, _, body = b"".join(out).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:] == [b"Transfer-Encoding: gzip, chunked"]
    assert body == chunk(ZIPPED) + b"0\r\n\r\n"
    assert answer.complete
    answer, out = through(raw, http10=True)
    head, _, body = b"".join(out).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[1:] == [b"content-encoding: gzip", b"connection: close"]
    assert (body, answer.complete) == (ZIPPED, True)
