"""Where live requests go, and as what."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.recordings import post
from tokentape.replay import OnMiss
from tokentape.replay.live._upstream import Upstream
from tokentape.replay.matching._request_key import request_key
from tokentape.replay.serving._requests import RequestReader


def sent(raw, url="https://api.example"):
    (request,) = RequestReader().feed(raw)
    key = request_key(request.method, request.target, request.body, request.headers)
    return Upstream.of(url).request(request, key)


@pytest.mark.parametrize(
    ("url", "path", "target"),
    [
        ("https://h", b"/v1/x", b"/v1/x"),
        ("https://h/", b"/v1/x", b"/v1/x"),
        ("https://h/v1", b"/v1/x?a=b", b"/v1/x?a=b"),
        ("https://h/v1/", b"/v1", b"/v1"),
        ("https://h/v1", b"/v1?q=/v1/", b"/v1?q=/v1/"),
        ("https://h/v1", b"/v10/x", b"/v1/v10/x"),
        ("https://h/api/v1", b"/x", b"/api/v1/x"),
        ("https://h/api", b"*", b"*"),
    ],
)
def test_the_path_of_the_url_is_before_every_path_once(url, path, target):
    assert Upstream.of(url).target(path) == target


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://h", b"h"),
        ("https://h:443", b"h"),
        ("http://h:443", b"h:443"),
        ("http://h:80/v1", b"h"),
        ("http://[::1]:8000", b"[::1]:8000"),
        ("https://b\u00fccher.example", b"xn--bcher-kva.example"),
    ],
)
def test_the_host_is_the_apis(url, host):
    lines = sent(post(b""), url).split(b"\r\n")
    assert [line for line in lines if line.lower().startswith(b"host:")] == [b"Host: " + host]


def test_all_fields_go_on_in_their_order_but_those_of_one_connection():
    raw = (
        b"POST http://other/v1/x?y HTTP/1.1\r\nA: 1\r\nHost: here\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n"
        b"Proxy-Authorization: no\r\nAuthorization: yes\r\nTE: trailers\r\nExpect: 100-continue\r\n"
        b"Upgrade: h2c\r\na: 2\r\nContent-Length: 2\r\n\r\nab"
    )
    assert sent(raw) == (
        b"POST /v1/x?y HTTP/1.1\r\nHost: api.example\r\nA: 1\r\nAuthorization: yes\r\na: 2\r\n"
        b"Content-Length: 2\r\nConnection: close\r\n\r\nab"
    )


def test_what_had_no_body_gets_no_length():
    assert b"ength" not in sent(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"Content-Length: 0\r\n" in sent(post(b""))


@given(st.binary(max_size=300))
def test_the_body_goes_on_byte_for_byte(body):
    assert sent(post(body)).partition(b"\r\n\r\n")[2] == body


@pytest.mark.parametrize(
    "url",
    ["api.openai.com", "ftp://h", "https://", "https://u:p@h", "https://h?x", "http://h:x", "http://h:0",
     "https://" + "a" * 70],
)  # fmt: skip
def test_what_is_no_url_of_an_api_is_refused_without_its_password(url):
    with pytest.raises(ValueError, match="expected a URL such as") as raised:
        OnMiss("forward", url)
    assert "u:p" not in str(raised.value)


def test_what_can_be_recorded_to_is_the_last_that_is_named(tmp_path):
    url = "https://h"
    assert OnMiss("record", url).into(["a.tape", "b.tape"]).output == "b.tape"
    assert OnMiss("record", url, "c.tape").into(["a.tape"]).output == "c.tape"
    assert OnMiss("forward", url).into(["-"]).output is None
    odd = tmp_path / "a[1].tape"
    odd.touch()
    assert OnMiss("record", url).into([odd]).output == str(odd)
    for name in ("-", "tapes/*.tape", "a.tape.zst"):
        with pytest.raises(ValueError, match="what is missed is appended to the last cassette"):
            OnMiss("record", url).into(["a.tape", name])
        with pytest.raises(ValueError, match="what is missed"):
            OnMiss("record", url, name)
    with pytest.raises(ValueError, match="'forward' or 'record', found 'ask'"):
        OnMiss("ask", url)
