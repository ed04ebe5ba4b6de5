import contextlib
import socket
import threading
import time
from concurrent.futures import Future
from contextlib import ExitStack

import openai
import pytest

from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tokentape.replay import CannotListen, NothingToServe, OnMiss, httpx_transport, serve

CHAT = b'{"messages": [{"role": "user", "content": "hi"}], "model": "m", "stream": true}'


def event(text):
    return (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        b'[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n' % text
    )


def streamed(**kwargs):
    pieces = [(40, event(b"Hel")), (80, event(b"lo") + event(b", you")), (120, b"data: [DONE]\n\n")]
    return exchange(body=CHAT, pieces=pieces, end_ms=121, **kwargs)


def client_of(replay):
    return openai.OpenAI(base_url=replay.base_url, api_key="any", max_retries=2, timeout=10)


def ask(client, content="hi"):
    message = {"role": "user", "content": content}
    return client.chat.completions.create(model="m", stream=True, messages=[message])


def test_the_openai_client_reads_a_replay_as_it_reads_the_api(tmp_path):
    with serve(tape(tmp_path / "a.tape", streamed())) as replay, client_of(replay) as client:
        assert replay.base_url == replay.url + "/v1"
        sent = time.monotonic()
        seen = [(chunk.choices[0].delta.content, time.monotonic() - sent) for chunk in ask(client)]
    assert [text for text, _ in seen] == ["Hel", "lo", ", you"]
    assert all(at >= due for (_, at), due in zip(seen, (0.040, 0.080, 0.080), strict=True))
    assert replay.stats.hits == 1


def test_the_openai_client_does_not_retry_a_miss_and_shows_the_difference(tmp_path):
    with (
        serve(tape(tmp_path / "a.tape", streamed())) as replay,
        client_of(replay) as client,
        pytest.raises(openai.NotFoundError, match=r"body\.messages\[0\]\.content: recorded 'hi'") as raised,
    ):
        ask(client, "hello")
    assert raised.value.code == "not_recorded"
    assert replay.stats.misses == 1


def test_a_recorded_failure_and_the_retry_after_it_are_replayed(tmp_path):
    failed = streamed(status=None, end_reason="upstream-error")
    path = tape(tmp_path / "a.tape", failed, [*streamed(number=1, start_ms=500)])
    with serve(path, speed="instant") as replay, client_of(replay) as client:
        assert "".join(chunk.choices[0].delta.content for chunk in ask(client)) == "Hello, you"
    assert [item.times for item in replay.stats.served] == [1, 1]


def test_a_stream_that_was_cut_raises_in_the_client(tmp_path):
    cut = exchange(body=CHAT, pieces=[(40, event(b"Hel"))], end_reason="upstream-error")
    with serve(tape(tmp_path / "a.tape", cut), speed="instant") as replay, client_of(replay) as client:
        stream = ask(client)
        assert next(stream).choices[0].delta.content == "Hel"
        # the message depends on the client's version
        with pytest.raises(Exception, match=r"incomplete chunked read|Connection error"):
            list(stream)


def test_the_thread_is_gone_after_the_block_and_the_port_is_closed(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay:
        assert any(thread.name == "tokentape replay" for thread in threading.enumerate())
    assert not any(thread.name == "tokentape replay" for thread in threading.enumerate())
    with pytest.raises(OSError), connected(replay.url):
        pass


def test_answers_on_their_way_are_cut_off_when_the_block_ends(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(3_600_000, b"x")], end_ms=3_600_001))
    with serve(path) as replay:
        client = socket.create_connection(("127.0.0.1", int(replay.url.rpartition(":")[2])), timeout=10)
        client.sendall(post())
        read_until(client, b"\r\n\r\n")
    with client:
        assert read_all(client) == b""
    assert replay.stats.cut_off == 1


def test_an_exception_in_the_block_comes_through(tmp_path):
    with pytest.raises(ZeroDivisionError), serve(tape(tmp_path / "a.tape", exchange())):
        raise ZeroDivisionError


def test_a_host_that_is_none_is_said(tmp_path):
    with (
        pytest.raises(CannotListen, match=r"cannot listen on 203\.0\.113\.1:0"),
        serve(tape(tmp_path / "a.tape", exchange()), host="203.0.113.1"),
    ):
        pass


def test_several_cassettes_are_served_together(tmp_path):
    one = tape(tmp_path / "a.tape", exchange(body=b"a"))
    two = tape(tmp_path / "b.tape", exchange(body=b"b"))
    with serve([str(one), two], speed="instant") as replay, connected(replay.url) as client:
        client.sendall(post(b"b") + post(b"a"))
        assert read_until(client, b"0\r\n\r\n").count(b"HTTP/1.1 200 OK") in (1, 2)
    assert [item.source.rpartition("/")[2] for item in replay.stats.served] == [
        "a.tape, exchange 0",
        "b.tape, exchange 0",
    ]


@pytest.mark.parametrize("of", [serve, httpx_transport])
def test_a_matching_that_is_none_is_one_line(tmp_path, of):
    with (
        pytest.raises(
            TypeError, match=r"^expected a Matching such as Matching\(exhausted='error'\), found 3$"
        ),
        ExitStack() as stack,
    ):
        found = of(tape(tmp_path / "a.tape", exchange()), matching=3)
        if of is serve:
            stack.enter_context(found)


@pytest.mark.parametrize("on_miss", [None, OnMiss("record", "https://api.example")])
def test_no_cassettes_are_one_line(on_miss):
    with pytest.raises(NothingToServe, match=r"^expected the path of a cassette"), serve([], on_miss=on_miss):
        pass


def test_the_thread_ends_also_where_its_start_was_interrupted(tmp_path, monkeypatch):
    """As by Ctrl-C, which may come while the block is about to begin."""

    class Interrupted(Future):
        interrupted = False

        def result(self, timeout=None):
            if not Interrupted.interrupted:
                Interrupted.interrupted = True
                raise KeyboardInterrupt
            return super().result(timeout)

    monkeypatch.setattr("tokentape.replay._serve.Future", Interrupted)
    path = tape(tmp_path / "a.tape", exchange())

    def enter():
        with contextlib.suppress(KeyboardInterrupt), serve(path):
            raise AssertionError("it was not interrupted")

    entering = threading.Thread(target=enter, daemon=True)
    entering.start()
    entering.join(20)
    assert not entering.is_alive()
    assert Interrupted.interrupted
    assert not any(thread.name == "tokentape replay" for thread in threading.enumerate())
