"""What each fault makes of an answer, and what none of them ever does."""

import gzip
import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.replay.faults.strategies import answers, effects
from tests.replay.recordings import MS, SSE_HEADERS, as_exchange, exchange
from tokentape.cassette import ContentDecoder, SSEDecoder, header
from tokentape.replay._wire import prepare
from tokentape.replay.faults import Garble, Merge, Place, Split, Truncate, parse_fault
from tokentape.replay.faults._choosing import Asked
from tokentape.replay.faults._injecting import inject
from tokentape.replay.faults._unframed import unframed
from tokentape.replay.matching._request_key import request_key
from tokentape.replay.timing._timing import Timing

PIECES = [
    (2, b'data: {"a":1}\n\n'),
    (3, b': c\n\ndata: {"a":2}\n\ndata: {"a":3}\n\n'),
    (5, b"data: [DONE]\n\n"),
]
BODY = b"".join(piece for _, piece in PIECES)
SECOND_ENDS = BODY.index(b'data: {"a":3}')


def asked(method="POST", path=b"/v1/chat/completions"):
    return Asked(request_key(method, path, b"{}"))


def injected(*faults, speed=1.0, by=None, **recorded):
    recorded = {"pieces": PIECES, "end_ms": 6} | recorded
    answer = prepare(as_exchange(exchange(**recorded)), timing=Timing(speed=speed))
    given_effects = list(enumerate(parse_fault(text).effect for text in faults))
    return inject(answer, given_effects, by or asked(), at_once=speed == "instant")


def sent(found):
    """Offsets in ms, and what is due then of the body."""
    return [(due_ns / MS, data) for due_ns, data in unframed(found.answer).pieces]


def body(found):
    return unframed(found.answer).body


def events(data):
    return [event.data for event in SSEDecoder().feed(data)]


# What holds for all of them.


@given(answers(), st.lists(effects(most_ns=10**10), max_size=4), st.sampled_from(["POST", "HEAD"]))
def test_times_never_decrease_and_what_is_sent_is_well_framed(drawn, several, method):
    answer, at_once = drawn
    found = inject(answer, enumerate(several), asked(method), at_once=at_once)
    times = [due_ns for due_ns, _ in found.answer.parts]
    assert all(one <= other for one, other in pairwise(times))
    assert found.answer.closes == (found.ending != "open")
    left = unframed(found.answer)
    length = header(left.headers, b"content-length")
    if found.ending == "open" and length and method != "HEAD":
        assert len(left.body) == int(length)
    assert not (length and left.framing)
    for parts in (found.answer.closing(), found.answer.for_http10()):
        assert [due_ns for due_ns, _ in parts] == times
    if not found.hit:
        assert found.answer is answer


@given(answers(), st.integers(1, 40), st.sampled_from([Split, Merge]))
def test_split_and_merged_the_body_stays_as_it_was(drawn, size, kind):
    answer, at_once = drawn
    effect = Split(max_bytes=size) if kind is Split else Merge(bytes=size)
    before = unframed(answer)
    found = inject(answer, [(0, effect)], asked(), at_once=at_once)
    after = unframed(found.answer)
    assert after.body == before.body
    assert (after.head, after.end, found.ending) == (before.head, before.end, before.ending)
    sizes = [len(data) for _, data in after.pieces]
    assert all(1 <= each <= size for each in sizes)
    if kind is Merge:
        assert all(each == size for each in sizes[:-1])


@given(answers(), st.integers(0, 200))
def test_truncated_the_body_is_a_prefix(drawn, count):
    answer, at_once = drawn
    whole = unframed(answer)
    found = inject(answer, [(0, Truncate(at=Place("byte", count)))], asked(), at_once=at_once)
    if found.hit:
        assert unframed(found.answer).body == whole.body[:count]
        assert found.ending == "close"
    else:
        assert not whole.has_body or count > len(whole.body)


@given(answers(body=BODY), st.integers(0, 6))
def test_after_so_many_events_these_have_come_and_no_more(drawn, count):
    answer, at_once = drawn
    headers = unframed(answer).headers
    if header(headers, b"content-type") != "text/event-stream":
        return
    found = inject(answer, [(0, Truncate(at=Place("event", count)))], asked(), at_once=at_once)
    after = unframed(found.answer)
    if found.hit:
        assert not header(after.headers, b"content-encoding")
        assert len(events(after.body)) == count
        assert BODY.startswith(after.body)
    else:
        assert len(events(decode(answer))) < max(count, 1)


def decode(answer):
    laid = unframed(answer)
    return ContentDecoder(header(laid.headers, b"content-encoding")).feed(laid.body)


@given(answers(body=BODY), st.integers(1, 6))
def test_garbled_only_the_event_is_another(drawn, number):
    answer, at_once = drawn
    found = inject(answer, [(0, Garble(event=number))], asked(), at_once=at_once)
    if not found.hit:
        return
    after, before = unframed(found.answer).body, decode(answer)
    assert len(after) == len(before)
    after.decode()  # it is UTF-8 still
    if header(unframed(answer).headers, b"content-type") == "text/event-stream":
        pairs = list(zip(events(after), events(before), strict=True))
        assert [index for index, (one, other) in enumerate(pairs, 1) if one != other] in ([number], [])


# Each of them.


def test_status_is_an_error_in_the_shape_of_the_api():
    found = injected("status=429,retry-after=2")
    (due_ns, head), (same_ns, data) = found.answer.parts
    assert due_ns == same_ns == 1 * MS  # when the recorded head came
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 429 Too Many Requests"
    assert b"\r\nretry-after: 2\r\n" in head
    assert b"content-length: %d\r\n" % len(data) in head
    error = json.loads(data)["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limit_exceeded")
    assert error["message"] == "tokentape: the fault status=429,retry-after=2"
    assert found.ending == "open"


def test_status_for_anthropic_is_in_its_shape():
    found = injected("status=529", by=asked(path=b"/v1/messages?beta=true"))
    assert found.answer.parts[0][1].startswith(b"HTTP/1.1 529 Overloaded\r\n")
    error = json.loads(body(found))
    assert (error["type"], error["error"]["type"]) == ("error", "overloaded_error")


def test_status_to_head_has_no_body():
    found = injected("status=503", method="HEAD", pieces=[], by=asked("HEAD"))
    ((_, head),) = found.answer.parts
    assert b"content-length: " in head
    assert head.endswith(b"\r\n\r\n")


@pytest.mark.parametrize("status", range(400, 600))
def test_every_error_status_can_be_had(status):
    found = injected(f"status={status}")
    assert found.answer.parts[0][1].startswith(b"HTTP/1.1 %d " % status)
    assert json.loads(body(found))["error"]["type"]


def test_status_ends_the_matter():
    found = injected("slow-start=1s", "status=503", "split=1")
    assert found.hit == (0, 1)
    assert found.answer.parts[0][0] == 1_001 * MS


@pytest.mark.parametrize(
    ("place", "expected", "at_ms"),
    [
        ("@event=0", b"", 1),
        ("@event=2", BODY[:SECOND_ENDS], 3),
        ("@event=4", BODY, 5),
        ("@piece=1", PIECES[0][1], 2),
        ("@piece=3", BODY, 5),
        ("@byte=0", b"", 1),
        ("@byte=1", b"d", 2),
        ("@byte=17", BODY[:17], 3),
        ("@time=2999us", PIECES[0][1], 2.999),
        ("@time=3ms", BODY[: BODY.index(b"data: [DONE]")], 3),
        ("@time=5500us", BODY, 5.5),
    ],
)
@pytest.mark.parametrize(("kind", "ending"), [("truncate", "close"), ("reset", "reset")])
def test_so_much_has_come_before_it_ends(kind, ending, place, expected, at_ms):
    found = injected(kind + place)
    assert (body(found), found.ending) == (expected, ending)
    assert found.answer.parts[-1] == (at_ms * MS, b"")
    assert found.spoiled


@pytest.mark.parametrize("place", ["@event=5", "@piece=4", "@byte=999", "@time=6ms"])
@pytest.mark.parametrize("kind", ["truncate", "reset", "stall=1s"])
def test_a_place_that_is_not_reached_is_not_hit(kind, place):
    found = injected(kind + place)
    assert (found.hit, found.ending, body(found)) == ((), "open", BODY)


@pytest.mark.parametrize("kind", ["truncate", "reset"])
def test_before_the_head_nothing_at_all_comes(kind):
    found = injected(f"{kind}@time=500us")
    assert found.answer.parts == ((0.5 * MS, b""),)


def test_a_truncated_content_length_stays_as_it_was():
    headers = ((b"Content-Length", b"%d" % len(BODY)),)
    found = injected("truncate@byte=10", headers=headers)
    assert b"Content-Length: %d\r\n" % len(BODY) in found.answer.parts[0][1]
    assert body(found) == BODY[:10]


@pytest.mark.parametrize(
    ("place", "due"),
    [
        ("@event=0", [1002, 1003, 1005]),
        ("@event=1", [2, 1003, 1005]),
        ("@event=2", [2, 3, 1003, 1005]),
        ("@piece=2", [2, 3, 1005]),
        ("@byte=1", [2, 1002, 1003, 1005]),
        ("@time=4ms", [2, 3, 1005]),
    ],
)
def test_what_comes_after_a_stall_comes_so_much_later(place, due):
    found = injected(f"stall=1s{place}")
    assert [when for when, _ in sent(found)] == due
    assert body(found) == BODY
    assert found.answer.parts[0][0] == 1 * MS
    assert found.answer.parts[-1][0] == 1_006 * MS


def test_a_stall_before_the_head_delays_it_too():
    assert [due_ns // MS for due_ns, _ in injected("stall=1s@time=0ms").answer.parts] == [
        1001, 1002, 1003, 1005, 1006,
    ]  # fmt: skip


def test_a_stall_after_the_last_event_delays_the_end():
    found = injected("stall=1s@event=4")
    assert [when for when, _ in sent(found)] == [2, 3, 5]
    assert found.answer.parts[-1] == (1_006 * MS, b"0\r\n\r\n")


def test_a_stall_where_nothing_is_left_to_come_is_not_hit():
    headers = ((b"Content-Length", b"%d" % len(BODY)),)
    assert injected("stall=1s@event=4", headers=headers).hit == ()


def test_a_stall_takes_its_time_also_where_nothing_else_does():
    found = injected("stall=1s@event=2", speed="instant")
    (at_once, first), (later, rest) = found.answer.parts
    assert (at_once, later) == (0, 1_000 * MS)
    assert BODY[SECOND_ENDS - 4 : SECOND_ENDS] in first
    assert rest.endswith(b"0\r\n\r\n")


def test_comments_keep_coming_once_a_second():
    found = injected("keepalive-stall=3500ms@event=2")
    comment = b": keep-alive\n\n"
    assert sent(found)[2:6] == [
        (1_003, comment),
        (2_003, comment),
        (3_003, comment),
        (3_503, b'data: {"a":3}\n\n'),
    ]
    assert events(body(found)) == events(BODY)


def test_in_a_short_while_there_are_comments_too():
    found = injected("keepalive-stall=40ms@event=2")
    assert [when for when, data in sent(found) if data == b": keep-alive\n\n"] == [13, 23, 33]


def test_a_garbled_event_is_no_json_and_the_others_are():
    found = injected("garble@event=2")
    one, two, three, done = events(body(found))
    assert (one, two, three, done) == (b'{"a":1}', b'{"a####', b'{"a":3}', b"[DONE]")
    assert [when for when, _ in sent(found)] == [2, 3, 5]
    with pytest.raises(json.JSONDecodeError):
        json.loads(two)


def test_a_garbled_end_mark_is_none():
    assert events(body(injected("garble@event=4")))[-1] == b"[DO###"


def test_without_done_all_else_comes_and_ends_well():
    found = injected("drop-done")
    assert body(found) == BODY[: BODY.index(b"data: [DONE]")]
    assert found.answer.parts[-1] == (6 * MS, b"0\r\n\r\n")
    assert injected("drop-done", pieces=PIECES[:2]).hit == ()


@pytest.mark.parametrize(
    ("content_type", "last"),
    [
        (b"text/event-stream", b"data: [DONE]"),
        (b"text/event-stream", b'event: message_stop\ndata: {"type":"message_stop"}\n\n'),
        (b"text/event-stream", b'event: response.completed\ndata: {"type":"response.completed"}\n\n'),
        (b"application/x-ndjson", b'{"model":"m","done":true}\n'),
    ],
)
def test_what_says_that_all_has_come_is_known(content_type, last):
    first = b"data: 1\n\n" if content_type == b"text/event-stream" else b'{"done":false}\n'
    found = injected(
        "drop-done", headers=((b"Content-Type", content_type),), pieces=[(2, first + last[:9]), (3, last[9:])]
    )
    assert body(found) == first


def test_of_several_end_marks_none_is_left():
    # A gateway that speaks as Anthropic does, and then as OpenAI does.
    stop = b"event: message_stop\ndata: {}\n\n"
    found = injected("drop-done", pieces=[(2, b"data: 1\n\n" + stop), (3, b": c\n\ndata: [DONE]\n\n")])
    assert body(found) == b"data: 1\n\n: c\n\n"


def test_of_several_lines_of_data_the_last_is_garbled():
    found = injected("garble@event=1", pieces=[(2, b"id: 1\ndata: {\ndata:1234}\ndata\n\n")])
    assert body(found) == b"id: 1\ndata: {\ndata:12###\ndata\n\n"
    assert injected("garble@event=1", pieces=[(2, b"data:\n\n")]).hit == ()


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (b"\xef\xbb\xbfdata: 1234\n\n", b"\xef\xbb\xbfdata: 12##\n\n"),
        (b"data: 1234\ndatabase: 1\n\n", b"data: 12##\ndatabase: 1\n\n"),
        (b"data: 1234\r\rdata: 5\r\r", b"data: 12##\r\rdata: 5\r\r"),
        (b"data:1234\r\n: data: c\r\n\r\n", b"data:12##\r\n: data: c\r\n\r\n"),
        (b"data: 1234", b"data: 12##"),
        ("data: 你好\n\n".encode(), "data: 你###\n\n".encode()),
    ],
)
def test_nothing_but_the_data_is_garbled(event, expected):
    assert body(injected("garble@event=1", pieces=[(2, event)])) == expected


def test_a_double_comes_right_after_in_a_piece_of_its_own():
    found = injected("dup@event=2")
    event = b'data: {"a":2}\n\n'
    assert [data for _, data in sent(found)][1:4] == [b": c\n\n" + event, event, b'data: {"a":3}\n\n']
    assert [when for when, _ in sent(found)] == [2, 3, 3, 3, 5]


def test_split_comes_apart_also_where_nothing_is_waited_for():
    found = injected("split=1", speed="instant")
    assert len(found.answer.parts) == 1 + len(BODY) + 1
    assert {due_ns for due_ns, _ in found.answer.parts} == {0}


def test_merged_a_piece_comes_when_it_is_full_and_the_rest_at_the_end():
    found = injected("merge=20")
    assert [when for when, _ in sent(found)] == [3, 3, 5, 6]
    assert [len(data) for _, data in sent(found)] == [20, 20, 20, len(BODY) - 60]


def test_slow_start_delays_all():
    found = injected("slow-start=5s")
    assert [due_ns // MS for due_ns, _ in found.answer.parts] == [5001, 5002, 5003, 5005, 5006]


@pytest.mark.parametrize(
    ("path", "piece", "expected"),
    [
        (b"/v1/chat/completions", b"data: {}\n\n", b'data: {"error": {"message": "tokentape: the fault'),
        (
            b"/v1/messages",
            b"event: message_start\ndata: {}\n\n",
            b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "token',
        ),
        (
            b"/v1/responses",
            b"event: response.created\ndata: {}\n\n",
            b'event: error\ndata: {"type": "error", "code": "server_error", "message": "tokentape: ',
        ),
        (b"/other", b"data: x\n\n", b'event: error\ndata: {"error": {"message": "tokentape: '),
        (
            b"/v2/chat",
            b'data: {"type":"message-start","id":"1","delta":{}}\n\n',
            b'event: error\ndata: {"error": {"message": "tokentape: ',
        ),
    ],
)
def test_an_error_in_the_stream_is_in_the_words_of_the_api(path, piece, expected):
    found = injected("error-event@event=1", pieces=[(2, piece + piece)], by=asked(path=path))
    (_, first), (when, error) = sent(found)
    assert (first, when) == (piece, 2)
    assert error.startswith(expected)
    assert len(events(error)) == 1
    assert found.answer.parts[-1] == (2 * MS, b"0\r\n\r\n")
    assert found.ending == "open"


def test_an_error_among_lines_is_a_line():
    ndjson = ((b"Content-Type", b"application/x-ndjson"),)
    found = injected("error-event@event=1", headers=ndjson, pieces=[(2, b'{"a":1}\n{"a":2}\n')])
    assert body(found) == b'{"a":1}\n{"error": "tokentape: the fault error-event@event=1"}\n'


def test_an_error_comes_before_any_event_too():
    ((when, error),) = sent(injected("error-event@event=0"))
    assert when == 1
    assert len(events(error)) == 1


EVENT_FAULTS = [
    "garble@event=1",
    "dup@event=1",
    "drop-done",
    "error-event@event=0",
    "keepalive-stall=1s@event=0",
    "truncate@event=0",
    "stall=1s@event=0",
]


@pytest.mark.parametrize("fault", EVENT_FAULTS)
def test_an_answer_without_events_has_no_event_to_fail_at(fault):
    headers = ((b"Content-Type", b"application/json"), (b"Content-Length", b"7"))
    found = injected(fault, headers=headers, pieces=[(2, b'{"a":1}')])
    assert (found.hit, body(found)) == ((), b'{"a":1}')


@pytest.mark.parametrize(
    "fault", ["truncate@byte=0", "reset@piece=0", "stall=1s@byte=0", "split=1", "merge=5", "garble@event=1"]
)
@pytest.mark.parametrize(
    "recorded",
    [
        {"method": "HEAD"},
        {"status": 204, "headers": ()},
        {"status": 304},
        {"headers": ((b"Content-Length", b"0"),)},
        {"status": None, "end_reason": "client-closed"},
    ],
)
def test_an_answer_without_a_body_has_no_place_in_it(recorded, fault):
    assert injected(fault, pieces=[], **recorded).hit == ()


def test_what_was_recorded_as_cut_ends_as_it_was_cut():
    cut = {"pieces": PIECES[:2], "end_reason": "upstream-error"}
    found = injected("truncate@event=4", **cut)
    assert (found.hit, found.ending) == ((), "close")
    found = injected("split=4", **cut)
    assert (found.ending, found.answer.parts[-1]) == ("close", (6 * MS, b""))
    assert body(found) == PIECES[0][1] + PIECES[1][1]


def test_an_error_within_ends_well_what_was_recorded_as_cut():
    found = injected("error-event@event=2", pieces=PIECES[:2], end_reason="upstream-error")
    assert (found.ending, found.answer.parts[-1]) == ("open", (3 * MS, b"0\r\n\r\n"))


def test_faults_are_applied_in_the_order_in_which_they_are_given():
    assert len(sent(injected("split=1", "merge=20"))) == 4
    assert len(sent(injected("merge=20", "split=1"))) == len(BODY)
    first_twice = injected("dup@event=1", "truncate@event=2")
    assert events(body(first_twice)) == [b'{"a":1}'] * 2
    silence = injected("truncate@event=2", "stall=1s@event=2")
    assert silence.answer.parts[-1] == (1_003 * MS, b"")


def test_an_encoded_body_is_decoded_only_for_its_events():
    packed = gzip.compress(BODY)
    recorded = {
        "headers": (*SSE_HEADERS, (b"Content-Encoding", b"gzip")),
        "pieces": [(2, packed[:30]), (3, packed[30:])],
    }
    for text in ("split=1", "stall=1s@piece=1", "truncate@event=9", "truncate@byte=40"):
        found = injected(text, **recorded)
        assert b"\r\nContent-Encoding: gzip\r\n" in found.answer.parts[0][1]
        assert packed.startswith(body(found))
    found = injected("split=1", "truncate@event=2", **recorded)
    assert b"Content-Encoding" not in found.answer.parts[0][1]
    assert body(found) == BODY[:SECOND_ENDS]


def test_only_what_nobody_can_take_for_the_answer_spoils_it():
    spoiling = {"status=500", "truncate@event=1", "reset@event=1", "garble@event=1", "error-event@event=1"}
    harmless = {"stall=1s@event=1", "keepalive-stall=1s@event=1", "drop-done", "dup@event=1", "split=1",
                "merge=9", "slow-start=1s"}  # fmt: skip
    assert {text for text in spoiling | harmless if injected(text).spoiled} == spoiling


@pytest.mark.parametrize("fault", ["dup@event=2", "keepalive-stall=4ms@event=2", "error-event@event=2"])
def test_what_follows_a_last_event_without_its_blank_line_is_not_taken_for_a_part_of_it(fault):
    found = injected(fault, pieces=[(2, b"data: 1\n\ndata: 2")])
    assert found.hit
    first, second, *rest = events(body(found) + b"\n\n")
    assert (first, second) == (b"1", b"2")
    assert len(rest) == (not fault.startswith("keepalive"))


def test_a_last_line_without_its_end_is_ended_before_it_is_doubled():
    ndjson = ((b"Content-Type", b"application/x-ndjson"),)
    found = injected("dup@event=2", headers=ndjson, pieces=[(2, b'{"a":1}\n{"a":2}')])
    assert body(found) == b'{"a":1}\n{"a":2}\n{"a":2}'


@pytest.mark.parametrize(
    "fault", ["dup@event=1", "drop-done", "keepalive-stall=4ms@event=1", "error-event@event=1"]
)
def test_a_body_of_another_length_is_sent_in_chunks(fault):
    headers = ((b"Content-Type", b"text/event-stream"), (b"Content-Length", b"%d" % len(BODY)))
    found = injected(fault, headers=headers)
    head = found.answer.parts[0][1]
    assert b"Content-Length" not in head
    assert head.endswith(b"\r\ntransfer-encoding: chunked\r\n\r\n")
    assert found.answer.framing == b"transfer-encoding: chunked"
    assert found.answer.parts[-1][1] == b"0\r\n\r\n"


@pytest.mark.parametrize(
    "fault", ["garble@event=1", "split=1", "merge=9", "slow-start=1s", "stall=1s@event=1"]
)
def test_a_body_of_the_same_length_keeps_it(fault):
    headers = ((b"Content-Type", b"text/event-stream"), (b"Content-Length", b"%d" % len(BODY)))
    found = injected(fault, headers=headers)
    assert found.hit
    assert b"\r\nContent-Length: %d\r\n" % len(BODY) in found.answer.parts[0][1]
    assert b"".join(data for _, data in found.answer.parts[1:]) == body(found)


def test_nothing_else_hits_what_was_cut_before_its_head():
    found = injected("truncate@time=500us", "stall=1s@byte=0", "split=1", "reset@byte=0")
    assert (found.hit, found.answer.parts) == ((0,), ((0.5 * MS, b""),))


@pytest.mark.parametrize("speed", [1.0, "instant"])
@pytest.mark.parametrize("framed", [{}, {"headers": ((b"content-length", b"%d" % len(BODY)),)}])
@pytest.mark.parametrize("count", range(len(PIECES) + 2))
def test_a_fault_at_a_piece_hits_at_every_speed_and_framing(speed, framed, count):
    found = injected(f"truncate@piece={count}", speed=speed, **framed)
    assert found.hit == ((0,) if count <= len(PIECES) else ())
    assert body(found) == b"".join(data for _, data in PIECES[:count])


@pytest.mark.parametrize("size", range(1, len(BODY) + 2))
def test_split_and_merge_cut_the_recorded_pieces_at_instant_as_at_any_speed(size):
    framed = {"headers": ((b"content-length", b"%d" % len(BODY)),)}
    for fault in (f"split={size}", f"merge={size}"):
        cuts = [
            [len(data) for _, data in injected(fault, speed=speed, **framed).answer.parts[1:]]
            for speed in (1.0, "instant")
        ]
        assert cuts[0] == cuts[1]
