import base64
import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.cassette.formats.files import exported, imported
from tests.cassette.formats.strategies import cassettes
from tests.cassette.tapes import CHUNKS, CLOSE, END, RECORDS, REQUEST, RESPONSE, SECTION
from tokentape import cassette
from tokentape.cassette.formats import NotTheFormat, _har

STARTED = "2026-09-21T14:13:20.250Z"
STARTED_NS = 1_790_000_000_250_000_000


def entry(**parts):
    """An entry as Chrome writes it."""
    found = {
        "_initiator": {"type": "script"},
        "_resourceType": "fetch",
        "connection": "443",
        "startedDateTime": STARTED,
        "time": 501.5,
        "request": {
            "method": "POST",
            "url": "https://api.example/v1/chat/completions?beta=1",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": ":method", "value": "POST"},
                {"name": "content-type", "value": "application/json"},
            ],
            "queryString": [{"name": "beta", "value": "1"}],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 13,
            "postData": {"mimeType": "application/json", "text": '{"model":"é"}'},
        },
        "response": {
            "status": 200,
            "statusText": "",
            "httpVersion": "http/2.0",
            "headers": [
                {"name": "content-type", "value": "text/event-stream"},
                {"name": "content-encoding", "value": "br"},
                {"name": "Content-Length", "value": "9"},
            ],
            "cookies": [],
            "content": {"size": 17, "mimeType": "text/event-stream", "text": "data: 你好\n\n"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
            "_transferSize": 99,
        },
        "cache": {},
        "timings": {
            "blocked": 1.5, "dns": -1, "ssl": 30, "connect": 40, "send": 0.25, "wait": 200, "receive": 260,
            "_blocked_queueing": 1.2,
        },
    }  # fmt: skip
    return found | parts


def archive(*entries, creator=("WebInspector", "537.36")):
    log = {"version": "1.2", "creator": {"name": creator[0], "version": creator[1]}, "entries": list(entries)}
    return json.dumps({"log": log}).encode()


def only(data, lost=None):
    (exchange,) = cassette.exchanges(imported(_har, data, lost))
    return exchange


def test_a_browsers_entry_has_the_times_of_its_headers_and_its_body_as_one_piece():
    exchange = only(archive(entry()))
    request, response = exchange.request, exchange.response
    ms = 1_000_000
    assert exchange.section.wall_ns == STARTED_NS
    assert exchange.section.proxy == "WebInspector 537.36"
    assert exchange.section.labels == {"imported-from": "har"}
    assert (request.times, request.t, request.t_end) == ("headers", 0, 41.75 * ms)
    assert (response.t, exchange.end.t) == (241.75 * ms, 501.75 * ms)
    assert response.connect == cassette.Connect(tcp_start=1.5 * ms, tcp_end=11.5 * ms, tls_end=41.5 * ms)
    assert (request.scheme, request.host, request.port) == ("https", "api.example", 443)
    assert request.path == b"/v1/chat/completions?beta=1"
    assert (request.http_version, response.http_version) == ("HTTP/2.0", "HTTP/2.0")
    assert request.headers == ((b"content-type", b"application/json"),)
    assert request.body == '{"model":"é"}'.encode()
    assert exchange.chunks == [cassette.Chunk(exchange=0, t=0, data="data: 你好\n\n".encode())]
    assert exchange.end == cassette.End(exchange=0, t=501.75 * ms, reason="complete", chunks=1, bytes=14)


def test_headers_say_of_the_body_what_it_is_once_it_was_decoded():
    headers = dict(only(archive(entry())).response.headers)
    assert headers == {b"content-type": b"text/event-stream", b"Content-Length": b"14"}


def test_entries_come_in_the_order_of_their_times_counted_from_the_first():
    later = entry(startedDateTime="2026-09-21T16:13:20.350+02:00")
    found = [each for each in imported(_har, archive(later, entry())) if isinstance(each, cassette.Request)]
    assert [(each.exchange, each.t) for each in found] == [(0, 0), (1, 100_000_000)]


def test_entries_that_are_decades_apart_are_sections_of_their_own():
    years = ["1971", "2026", "2027", "2099"]
    found = imported(_har, archive(*[entry(startedDateTime=f"{year}-01-01T00:00:00Z") for year in years]))
    sections = [each for each in found if isinstance(each, cassette.Section)]
    assert [each.exchange for each in found if isinstance(each, cassette.Request)] == [0, 0, 1, 0]
    assert [each.wall_ns // (365 * 86_400 * 10**9) for each in sections] == [1, 56, 129]
    for record in found:
        assert cassette._records.decode(cassette._records.encode(record)) == record


@pytest.mark.parametrize(
    "parts",
    [{"startedDateTime": "yesterday"}, {"startedDateTime": None}, {"timings": {"send": 1}}, {"timings": {}}],
)
def test_an_entry_that_does_not_say_when_has_no_times(parts):
    exchange = only(archive(entry(**parts)))
    assert exchange.request.times == "none"
    assert {exchange.request.t, exchange.request.t_end, exchange.response.t, exchange.end.t} == {0}


def test_content_in_base64_is_bytes():
    body = bytes(range(256))
    content = {
        "size": 256,
        "mimeType": "image/png",
        "text": base64.b64encode(body).decode(),
        "encoding": "base64",
    }
    made = entry()
    made["response"]["content"] = content
    assert only(archive(made)).body == body


def test_text_is_in_the_charset_that_it_names():
    made = entry()
    made["response"]["content"] = {"size": 1, "mimeType": "text/plain; charset=iso-8859-1", "text": "é"}
    assert only(archive(made)).body == b"\xe9"
    made["response"]["content"] = {"size": 1, "mimeType": "text/plain; charset=iso-8859-1", "text": "你"}
    assert only(archive(made)).body == "你".encode()


def test_a_form_without_text_is_made_of_its_fields():
    made = entry()
    made["request"]["postData"] = {"mimeType": "x", "params": [{"name": "a", "value": "1 2"}, {"name": "b"}]}
    assert only(archive(made)).request.body == b"a=1+2&b="


def test_an_answer_that_never_came_is_none():
    response = {
        "status": 0,
        "statusText": "",
        "headers": [],
        "content": {"size": 0},
        "_error": "net::ERR_FAILED",
    }
    exchange = only(archive(entry(response=response)))
    assert exchange.response is None
    assert (exchange.end.reason, exchange.end.detail) == ("upstream-error", "net::ERR_FAILED")


@pytest.mark.parametrize("content", [{"size": 17, "mimeType": "a/b"}, {"size": -1, "_file": "b.dat"}])
def test_an_archive_without_contents_says_so(content):
    made = entry()
    made["response"]["content"] = content
    lost: list[str] = []
    assert only(archive(made), lost).body == b""
    assert lost == ["a file: entry 0: its body, which the archive was saved without"]


SECRET = "hunter2" + "secret"


@pytest.mark.parametrize(
    "url",
    [
        f"api.x.com/v1?key={SECRET}",
        f"bob:{SECRET}@api/x",
        f"https://bob:{SECRET}",
        f"https://bob:{SECRET}@\u2100x/",
        f"https://bob:{SECRET}@[x/",
    ],
)
def test_a_wrong_url_is_said_without_what_may_be_secret(url):
    lost: list[str] = []
    assert only(archive(entry(request={"method": "GET", "url": url}), entry()), lost)
    assert lost == [f"a file: entry 0: expected an absolute URL, found text of {len(url)} characters"]


def test_websockets_are_counted_and_left_out():
    lost: list[str] = []
    assert only(archive(entry(_webSocketMessages=[]), entry(), entry(_resourceType="websocket")), lost)
    assert lost == ["a file: 2 of the entries are WebSockets, which a cassette has no place for"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"request": {"method": "GET"}}, "Object missing required field url - at request"),
        (
            {"request": {"method": "GET", "url": "/only/a/path"}},
            "expected an absolute URL, found text of 12 characters",
        ),
        ({"request": {"method": "GET", "url": "http://[x"}}, "expected an absolute URL"),
        ({"response": {"status": "ok"}}, "Expected int, got str - at response.status"),
        ({"response": {"status": 200, "content": {"text": "a", "encoding": "base64"}}}, "expected base64"),
    ],
)
def test_an_entry_that_is_none_is_said_and_the_others_are_taken(change, says):
    lost: list[str] = []
    assert only(archive(entry(**change), entry()), lost)
    (line,) = lost
    assert line.startswith("a file: entry 0: ")
    assert says in line


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b'{"log": {}}',
        b'{"log": {"entries": {}}}',
        b'{"log": {"entries": [',
        b"\xff",
    ],
)
def test_another_file_is_another_format(data):
    with pytest.raises(NotTheFormat, match="a file: expected an HTTP archive"):
        imported(_har, data)


def test_every_cut_gives_the_whole_entries_and_says_what_is_lost():
    data = archive(entry(), entry(), entry())
    first = data.index(b'}, {"_init') + 1
    for cut in range(first, len(data) - 1, 7):
        lost: list[str] = []
        found = imported(_har, data[:cut], lost)
        whole = data[:cut].count(b'"_blocked_queueing": 1.2}}')
        assert sum(isinstance(each, cassette.Request) for each in found) == whole
        assert lost == [
            f"a file: what comes after entry {whole - 1}: the archive is cut off or damaged there"
        ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None)
@given(st.data())
def test_whatever_stands_in_an_entry_nothing_else_is_raised(data):
    made = entry(_tokentape=data.draw(JSON))
    for _ in range(data.draw(st.integers(1, 3))):
        place = made
        while True:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or not place[key] or data.draw(st.booleans()):
                place[key] = data.draw(JSON)
                break
            place = place[key]
    for record in imported(_har, archive(made)):
        assert cassette._records.decode(cassette._records.encode(record)) == record


@settings(max_examples=30, deadline=None)
@given(records=cassettes())
def test_phases_are_none_of_them_negative_and_add_up_to_the_time_of_the_entry(records):
    for made in json.loads(exported(_har, records))["log"]["entries"]:
        timings = made["timings"]
        assert all(value >= 0 or value == -1 for value in timings.values())
        assert min(timings[name] for name in ("send", "wait", "receive")) >= 0
        phases = [timings[name] for name in ("blocked", "dns", "connect", "send", "wait", "receive")]
        assert made["time"] == pytest.approx(sum(max(0, phase) for phase in phases))
        assert timings["ssl"] <= max(timings["connect"], -1)


def test_the_phases_are_those_of_the_recording():
    (made,) = json.loads(exported(_har, list(RECORDS)))["log"]["entries"]
    assert made["startedDateTime"] == "2026-09-21T14:13:20.000001Z"
    assert made["time"] == pytest.approx((END.t - REQUEST.t) / 1e6)
    assert made["timings"]["connect"] == (9_000 - 2_100) / 1e6
    assert made["timings"]["ssl"] == (9_000 - 2_900) / 1e6
    assert made["timings"]["send"] == (REQUEST.t_end - REQUEST.t) / 1e6
    assert made["timings"]["wait"] == (RESPONSE.t - REQUEST.t_end - 6_900) / 1e6
    assert made["timings"]["receive"] == (END.t - RESPONSE.t) / 1e6
    assert [[t, size] for t, size in made["_tokentape"]["pieces"]] == [[c.t, len(c.data)] for c in CHUNKS]


def test_a_connection_that_was_opened_ahead_is_no_part_of_the_entry():
    connect = cassette.Connect(tcp_start=-900, tcp_end=-500, tls_end=-100)
    records = [SECTION, REQUEST, replace(RESPONSE, connect=connect), *CHUNKS, END, CLOSE]
    (made,) = json.loads(exported(_har, records))["log"]["entries"]
    assert (made["timings"]["connect"], made["timings"]["ssl"]) == (-1, -1)


def encoded(body, cuts=(5,)):
    data = gzip.compress(body)
    places = [0, *cuts, len(data)]
    chunks = [
        cassette.Chunk(exchange=0, t=CHUNKS[0].t + number, data=data[start:end])
        for number, (start, end) in enumerate(pairwise(places))
    ]
    headers = ((b"content-type", b"text/event-stream"), (b"content-encoding", b"gzip"))
    end = replace(END, chunks=len(chunks), bytes=len(data))
    return [SECTION, REQUEST, replace(RESPONSE, headers=headers), *chunks, end, CLOSE]


def test_content_is_decoded_and_its_pieces_come_back_as_they_came():
    body = b"data: hello\n\n" * 9
    records = encoded(body)
    data = exported(_har, records)
    (made,) = json.loads(data)["log"]["entries"]
    raw = sum(len(chunk.data) for chunk in records[3:-2])
    assert made["response"]["bodySize"] == raw
    assert made["response"]["content"] == {
        "size": len(body), "compression": len(body) - raw, "mimeType": "text/event-stream",
        "text": body.decode(),
    }  # fmt: skip
    assert imported(_har, data) == records
    changed = only(data.replace(b"hello", b"hullo", 1))
    assert changed.body == body.replace(b"hello", b"hullo", 1)
    assert changed.request.times == "headers"
    assert b"content-encoding" not in dict(changed.response.headers)


def test_content_that_cannot_be_decoded_is_there_as_it_came():
    records = encoded(b"x")
    records[3] = replace(records[3], data=b"\xff" + records[3].data[1:])
    data = exported(_har, records)
    assert json.loads(data)["log"]["entries"][0]["response"]["content"]["encoding"] == "base64"
    assert imported(_har, data) == records


def test_an_entry_is_a_line():
    data = exported(_har, list(RECORDS))
    assert len(data.splitlines()) == 3
    assert json.loads(data.splitlines()[1])["_tokentape"]["exchange"] == 0


def test_cookies_and_the_query_are_written_out():
    headers = ((b"Cookie", b"a=1; b=x=y"), (b"cookie", b"c"))
    request = replace(REQUEST, path=b"/x?q=%41&empty=", headers=headers)
    response = replace(RESPONSE, headers=((b"Set-Cookie", b"s=1; Path=/; HttpOnly; Secure"),))
    (made,) = json.loads(exported(_har, [SECTION, request, response, *CHUNKS, END]))["log"]["entries"]
    assert [(each["name"], each["value"]) for each in made["request"]["cookies"]] == [
        ("a", "1"), ("b", "x=y"), ("c", ""),
    ]  # fmt: skip
    assert made["request"]["queryString"] == [{"name": "q", "value": "A"}, {"name": "empty", "value": ""}]
    assert made["response"]["cookies"] == [
        {"name": "s", "value": "1", "path": "/", "httpOnly": True, "secure": True}
    ]
