"""Faults over real sockets: the bytes that come, the connection afterwards, and who is hit how often."""

import json
import threading
import time

import anthropic
import openai
import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_exactly, read_until, tape
from tests.replay.testing.cassettes import chat, request
from tests.streams import anthropic_messages, stepfun
from tokentape.replay import Matching, WrongFault, serve
from tokentape.replay.serving._connection import Connection

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE, DONE, END = b"9\r\ndata: 1\n\n\r\n", b"e\r\ndata: [DONE]\n\n\r\n", b"0\r\n\r\n"
WHOLE = HEAD + ONE + DONE + END
CLOSING = HEAD[:-2] + b"connection: close\r\n\r\n"


@pytest.fixture
def replaying(tmp_path):
    """Serves one short answer with faults while the test runs."""
    running = []

    def start(*faults, speed="instant", exchanges=None, **options):
        path = tape(tmp_path / f"{len(running)}.tape", *(exchanges or [exchange()]))
        context = serve(path, speed=speed, faults=faults, **options)
        running.append(context)
        return context.__enter__()

    yield start
    for context in running:
        context.__exit__(None, None, None)


def hits(replay):
    return [each.times for each in replay.stats.faults]


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        ("dup@event=1", ONE + ONE + DONE + END),
        ("drop-done", ONE + END),
        ("garble@event=2", ONE + b"e\r\ndata: [DO###\n\n\r\n" + END),
        ("split=8", b"8\r\ndata: 1\n\r\n1\r\n\n\r\n8\r\ndata: [D\r\n6\r\nONE]\n\n\r\n" + END),
        ("merge=4096", b"17\r\ndata: 1\n\ndata: [DONE]\n\n\r\n" + END),
        ("keepalive-stall=8ms@event=1", ONE + b"e\r\n: keep-alive\n\n\r\n" * 3 + DONE + END),
        ("stall=10ms@event=1", ONE + DONE + END),
        ("stall=10ms@piece=1", ONE + DONE + END),
        ("slow-start=10ms", ONE + DONE + END),
    ],
)
@pytest.mark.parametrize("speed", [1.0, "instant"])
def test_the_connection_serves_on_after_a_fault_that_leaves_an_end(replaying, fault, body, speed):
    replay = replaying(f"{fault},times=1", speed=speed)
    with connected(replay.url) as client:
        client.sendall(post() + post())
        expected = HEAD + body + WHOLE
        assert read_exactly(client, len(expected)) == expected
    assert hits(replay) == [1]


@pytest.mark.parametrize(
    ("fault", "came"),
    [
        ("truncate@event=0", HEAD),
        ("truncate@event=1", HEAD + ONE),
        ("truncate@event=2", HEAD + ONE + DONE),
        ("truncate@piece=1", HEAD + ONE),
        ("truncate@byte=5", HEAD + b"5\r\ndata:\r\n"),
        ("truncate@byte=11", HEAD + ONE + b"2\r\nda\r\n"),
        ("truncate@time=2ms", HEAD + ONE),
        ("truncate@time=0ms", b""),
    ],
)
def test_a_truncated_answer_is_closed(replaying, fault, came):
    replay = replaying(fault, speed=1)
    with connected(replay.url) as client:
        client.sendall(post())
        assert read_all(client) == came
    assert hits(replay) == [1]


@pytest.mark.parametrize(
    ("fault", "came"),
    [
        ("reset@event=1", HEAD + ONE),
        ("reset@byte=5", HEAD + b"5\r\ndata:\r\n"),
        ("reset@piece=2", HEAD + ONE + DONE),
        ("reset@time=2ms", HEAD + ONE),
        ("reset@time=0ms", b""),
    ],
)
def test_a_reset_answer_is_reset_after_what_came_before(replaying, fault, came):
    with connected(replaying(fault, speed=1).url) as client:
        client.sendall(post())
        assert read_exactly(client, len(came)) == came
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_truncated_content_length_is_not_reached(replaying):
    headers = ((b"Content-Length", b"9"),)
    short = exchange(headers=headers, pieces=[(2, b"data: 1\n\n")], end_ms=3)
    with connected(replaying("truncate@byte=4", exchanges=[short]).url) as client:
        client.sendall(post())
        assert read_all(client) == b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ndata"


def test_a_changed_body_with_a_content_length_comes_in_chunks(replaying):
    headers = ((b"Content-Length", b"9"),)
    short = exchange(headers=headers, pieces=[(2, b"data: 1\n\n")], end_ms=3)
    with connected(replaying("dup@event=1", exchanges=[short]).url) as client:
        client.sendall(post())
        head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        assert read_until(client, END) == head + ONE + ONE + END


def test_a_status_leaves_the_connection_open(replaying):
    replay = replaying("status=429,retry-after=2,times=1")
    with connected(replay.url) as client:
        client.sendall(post())
        head, _, body = read_until(client, b"}}").partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 429 Too Many Requests\r\n")
        assert b"\r\nretry-after: 2" in head
        assert b"\r\ncontent-length: %d" % len(body) in head
        assert json.loads(body)["error"]["type"] == "rate_limit_error"
        client.sendall(post())
        assert read_until(client, END) == WHOLE


def test_every_byte_is_a_write_of_its_own(replaying, monkeypatch):
    writes = []
    write = Connection._write
    monkeypatch.setattr(Connection, "_write", lambda self, data: (writes.append(data), write(self, data)))
    with connected(replaying("split=1").url) as client:
        client.sendall(post())
        read_until(client, END)
    assert writes == [HEAD, *(b"1\r\n%c\r\n" % byte for byte in b"data: 1\n\ndata: [DONE]\n\n"), END]


@pytest.mark.parametrize("fault", ["split=1", "dup@event=1", "stall=5ms@event=1", "status=500", "drop-done"])
def test_http_10_and_a_last_request_are_answered_and_closed(replaying, fault):
    replay = replaying(fault)
    with connected(replay.url) as client:
        client.sendall(post(version="1.0"))
        old = read_all(client)
    with connected(replay.url) as client:
        client.sendall(post(headers="Connection: close\r\n"))
        last = read_all(client)
    assert b"\r\nconnection: close\r\n\r\n" in old
    assert b"\r\nconnection: close\r\n\r\n" in last
    assert b"Transfer-Encoding" not in old
    if fault == "split=1":
        assert old.endswith(b"\r\n\r\ndata: 1\n\ndata: [DONE]\n\n")
    if fault == "drop-done":
        assert last == CLOSING + ONE + END


def test_http_10_is_reset_too(replaying):
    with connected(replaying("reset@event=1").url) as client:
        client.sendall(post(version="1.0"))
        read_until(client, b"data: 1\n\n")
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_head_request_gets_a_status_and_nothing_else(replaying):
    replay = replaying("split=1", "status=503,times=1", exchanges=[exchange(method="HEAD", pieces=[])])
    with connected(replay.url) as client:
        client.sendall(post(method="HEAD"))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 503 ")
        client.sendall(post(method="HEAD"))
        assert read_until(client, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
    assert hits(replay) == [0, 1]


def test_what_is_not_in_the_recording_is_not_hit(replaying):
    replay = replaying("status=503")
    with connected(replay.url) as client:
        client.sendall(post(b'{"model":"other"}') + post(b"", method="GET", path="/v1/models"))
        answers = read_until(client, b"]}")
    assert b"HTTP/1.1 404 Not Found\r\n" in answers
    assert b"503" not in answers
    assert hits(replay) == [0]


def test_who_asks_again_gets_the_answer_that_was_spoiled_and_then_the_next(replaying):
    first = exchange(0, pieces=[(2, b"data: 1\n\n")], end_ms=3)
    second = exchange(1, pieces=[(2, b"data: 2\n\n")], end_ms=3, start_ms=10)
    for order in ("any", "recorded"):
        replay = replaying(
            "truncate@event=0,nth=1",
            "status=500,nth=2",
            "garble@event=1,nth=3",
            exchanges=[first, second],
            matching=Matching(order=order, exhausted="error"),
        )
        with connected(replay.url) as client:
            client.sendall(post())
            assert read_all(client) == HEAD
        with connected(replay.url) as client:
            client.sendall(post())
            assert read_until(client, b"}}").startswith(b"HTTP/1.1 500 ")
            for event in (b"data: #\n\n", b"data: 1\n\n", b"data: 2\n\n"):
                client.sendall(post())
                assert read_until(client, END) == HEAD + b"9\r\n" + event + b"\r\n" + END
            client.sendall(post())
            assert read_until(client, b"}}").startswith(b"HTTP/1.1 404 ")
        assert not replay.stats.never_played


def test_faults_are_changed_while_it_runs(replaying):
    replay = replaying("drop-done,times=1")
    with connected(replay.url) as client:

        def ask():
            client.sendall(post())
            return read_until(client, END)

        assert [ask(), ask()] == [HEAD + ONE + END, WHOLE]
        replay.set_faults(replay.faults)  # what is counted begins anew
        assert [ask(), ask()] == [HEAD + ONE + END, WHOLE]
        with pytest.raises(WrongFault):
            replay.set_faults(["dup@event=1", "nonsense"])
        assert [str(fault) for fault in replay.faults] == ["drop-done,times=1"]
        replay.set_faults(["dup@event=1"])
        assert ask() == HEAD + ONE + ONE + DONE + END
        replay.set_faults([])
        assert ask() == WHOLE
    assert replay.faults == ()
    assert [(each.fault, each.times) for each in replay.stats.faults] == [
        ("drop-done,times=1", 2),
        ("dup@event=1", 1),
    ]


def test_a_fault_with_times_hits_so_often_whoever_asks(replaying):
    replay = replaying("status=429,times=7")

    def ask():
        with connected(replay.url) as client:
            for _ in range(10):
                client.sendall(post())
                read_until(client, b"}}") if b" 429 " in client.recv(20) else read_until(client, END)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert hits(replay) == [7]
    assert replay.stats.hits == 40


def test_a_wrong_fault_is_said_before_anything_is_served(tmp_path):
    with (
        pytest.raises(WrongFault, match="did you mean"),
        serve(tape(tmp_path / "a.tape", exchange()), faults=["stal"]),
    ):
        pass


def test_faulted_answers_do_not_count_in_the_speed_achieved(replaying):
    replay = replaying("slow-start=20ms", speed=1)
    with connected(replay.url) as client:
        client.sendall(post())
        read_until(client, END)
    assert replay.stats.speed is None


# Clients.


def ask(client, content="hi"):
    message = {"role": "user", "content": content}
    stream = client.chat.completions.create(model="m", stream=True, messages=[message])
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_the_openai_client_retries_after_an_error_and_gets_the_answer(tmp_path):
    path = chat(tmp_path / "a.tape", "hi")
    faults = ["status=429,times=1", "status=503,times=1"]
    with (
        serve(path, speed="instant", faults=faults, matching=Matching(exhausted="error")) as replay,
        openai.OpenAI(base_url=replay.base_url, api_key="none", timeout=10) as client,
    ):
        assert ask(client) == "ih"
    assert hits(replay) == [1, 1]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=401", openai.AuthenticationError),
        ("status=429,model=m,path=*/completions", openai.RateLimitError),
        ("status=529", openai.InternalServerError),
        ("reset@time=0ms", openai.APIConnectionError),
        ("truncate@time=0ms", openai.APIConnectionError),
        ("slow-start=1h", openai.APITimeoutError),
        ("garble@event=1", json.JSONDecodeError),
        ("error-event@event=1", openai.APIError),
    ],
)
def test_the_openai_client_raises_what_it_raises_for_the_api(tmp_path, fault, error):
    timeout_s = 0.5 if error is openai.APITimeoutError else 20
    with (
        serve(chat(tmp_path / "a.tape", "hi"), faults=[fault]) as replay,
        openai.OpenAI(base_url=replay.base_url, api_key="none", max_retries=0, timeout=timeout_s) as client,
        pytest.raises(error),
    ):
        ask(client)
    assert hits(replay) == [1]


@pytest.mark.parametrize(
    "fault", ["split=1", "split=3", "merge=64", "keepalive-stall=4ms@event=3", "drop-done"]
)
def test_the_openai_client_reads_the_same_text(tmp_path, fault):
    pieces = [(number + 2, piece) for number, piece in enumerate(stepfun().pieces)]
    path = tape(tmp_path / "a.tape", exchange(body=request(), pieces=pieces, end_ms=len(pieces) + 3))
    texts = []
    for faults in ([], [fault]):
        with (
            serve(path, speed="instant", faults=faults) as replay,
            openai.OpenAI(base_url=replay.base_url, api_key="none", timeout=10) as client,
        ):
            texts.append(ask(client))
    assert texts[0] == texts[1]
    assert len(texts[0]) != len(texts[0].encode())  # characters of several bytes were cut


def test_a_stall_is_as_long_as_it_says(replaying):
    with connected(replaying("stall=150ms@event=1").url) as client:
        client.sendall(post())
        read_until(client, ONE)
        came = time.monotonic()
        read_until(client, END)
        assert time.monotonic() - came > 0.1  # it is a least, and never comes too early


def test_a_double_is_read_twice(tmp_path):
    with (
        serve(chat(tmp_path / "a.tape", "hi"), faults=["dup@event=1"]) as replay,
        openai.OpenAI(base_url=replay.base_url, api_key="none", timeout=10) as client,
    ):
        assert ask(client) == "ihih"


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("status=529", "overloaded_error"),
        ("status=429,retry-after=0", "rate_limit_error"),
        ("error-event@event=3", "overloaded_error"),
    ],
)
def test_the_anthropic_client_raises_what_it_raises_for_the_api(tmp_path, fault, error):
    body = b'{"max_tokens":9,"messages":[{"role":"user","content":"hi"}],"model":"m","stream":true}'
    pieces = [(number + 2, piece) for number, piece in enumerate(anthropic_messages().pieces)]
    path = tape(tmp_path / "a.tape", exchange(path=b"/v1/messages", body=body, pieces=pieces, end_ms=99))
    message = {"role": "user", "content": "hi"}
    with (
        serve(path, speed="instant", faults=[f"{fault},times=1"]) as replay,
        anthropic.Anthropic(base_url=replay.url, api_key="none", max_retries=0, timeout=10) as client,
    ):
        with pytest.raises(anthropic.APIStatusError) as raised:
            list(client.messages.create(max_tokens=9, messages=[message], model="m", stream=True))
        assert raised.value.body["error"]["type"] == error
        assert list(client.messages.create(max_tokens=9, messages=[message], model="m", stream=True))
    assert hits(replay) == [1]


@pytest.mark.parametrize(
    "fault", ["truncate@event=1", "drop-done", "dup@event=1", "keepalive-stall=1s@event=1"]
)
def test_an_encoding_that_nothing_decodes_is_said_once_where_a_fault_is_about_events(
    replaying, caplog, fault
):
    headers = ((b"Content-Type", b"text/event-stream"), (b"Content-Encoding", b"x-own"))
    replay = replaying(fault, exchanges=[exchange(headers=headers)])
    for _ in range(2):
        with connected(replay.url) as client:
            client.sendall(post())
            read_until(client, END)
    assert hits(replay) == [0]
    (said,) = caplog.messages
    assert "content-encoding (x-own) cannot be decoded" in said


@pytest.mark.parametrize("fault", ["truncate@event=9", "stall=1ms@byte=99999"])
def test_nothing_is_said_of_an_encoding_where_a_place_is_not_reached(replaying, caplog, fault):
    replay = replaying(fault)
    with connected(replay.url) as client:
        client.sendall(post())
        read_until(client, END)
    assert (hits(replay), caplog.messages) == ([0], [])
