"""A replay in a process of its own, steered from another while a client reads from it."""

import json
import os
import re
import threading
import urllib.request
from contextlib import contextmanager
from queue import Queue

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.client import MESSAGES, openai_client
from tests.e2e.processes import Process
from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.replay import Control

QUESTION = json.dumps({"messages": MESSAGES, "model": "m", "stream": True}).encode()
SOON_MS, NEVER_MS = 10, 3_600_000


def event(text):
    delta = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [delta]}
    return b"data: %b\n\n" % json.dumps(chunk).encode()


def told(number, *pieces, start_ms=0.0):
    return exchange(
        number,
        body=QUESTION,
        pieces=[*pieces, (pieces[-1][0], b"data: [DONE]\n\n")],
        end_ms=pieces[-1][0],
        start_ms=start_ms,
    )


@contextmanager
def texts(url):
    """What the official client reads of a stream, in a thread of its own; None at its end."""
    found = Queue()

    def read():
        with openai_client(url) as client:
            for chunk in client.chat.completions.create(model="m", messages=MESSAGES, stream=True):
                found.put(chunk.choices[0].delta.content)
            found.put(None)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        reader.join(30)
        assert not reader.is_alive()


@pytest.fixture
def replaying(tmp_path):
    running = []

    def start(*exchanges, options=()):
        process = Process.tokentape("replay", tape(tmp_path / "a.tape", *exchanges), *options)
        running.append(process.__enter__())
        return running[-1]

    yield start
    for process in running:
        process.stop()


def test_a_pause_holds_a_stream_of_a_real_client_and_a_resume_lets_it_go_on(replaying):
    process = replaying(told(0, (SOON_MS, event("one")), (NEVER_MS, event("two"))))
    control = Control(process.url)
    with texts(process.url) as found:
        assert found.get(timeout=30) == "one"
        control.pause()
        control.set_speed(1e9)  # it is due by now, but for the pause
        assert (control.health().paused, control.health().running) == (True, 1)
        assert found.empty()
        control.resume()
        assert [found.get(timeout=30), found.get(timeout=30)] == ["two", None]
    assert not control.health().paused


def test_a_speed_changes_what_is_left_of_a_stream_and_what_comes(replaying):
    process = replaying(told(0, (SOON_MS, event("one")), (NEVER_MS, event("two"))))
    control = Control(process.url)
    with texts(process.url) as found:
        assert found.get(timeout=30) == "one"
        control.set_speed(1e6)
        assert [found.get(timeout=30), found.get(timeout=30)] == ["two", None]
    with texts(process.url) as found:
        assert [found.get(timeout=30) for _ in range(3)] == ["one", "two", None]
    process.stop()
    assert float(re.search(r"speed achieved: (\S+)x", process.stdout)[1]) > 100


def test_a_reset_replays_from_the_first_answer(replaying):
    process = replaying(told(0, (SOON_MS, event("first"))), told(1, (SOON_MS, event("second")), start_ms=100))
    control = Control(process.url)
    for expected in ("first", "second", "first"):
        with texts(process.url) as found:
            assert found.get(timeout=30) == expected
    assert control.stats().hits == 3
    control.reset()
    assert (control.stats().hits, control.stats().lateness.pieces, control.requests()) == (0, 0, ())
    with texts(process.url) as found:
        assert found.get(timeout=30) == "first"
    process.stop()
    assert "served 1, missed 0; 1 of 2 never played" in process.stdout


def test_the_journal_explains_a_miss_without_its_secret(replaying):
    process = replaying(told(0, (SOON_MS, event("one"))))
    secret = "sk-" + os.urandom(12).hex()
    with connected(process.url) as client:
        body = json.dumps({"messages": MESSAGES, "model": "other", "api_key": secret, "user": secret})
        client.sendall(post(body.encode(), path=f"/v1/chat/completions?key={secret}"))
        read_until(client, b"}}")
    (seen,) = Control(process.url).requests()
    assert (seen.outcome, seen.status, seen.path) == ("missed", 404, "/v1/chat/completions?key=[hidden]")
    assert "body.model: recorded 'm', the request has 'other'" in seen.explanation
    with urllib.request.urlopen(f"{process.url}/-/requests", timeout=10) as answer:
        shown = answer.read().decode()
    assert "body.model" in shown
    process.stop()
    assert secret not in shown + process.stdout + process.stderr


def test_the_metrics_parse_and_count_what_was_served(replaying):
    process = replaying(told(0, (SOON_MS, event("one"))))
    with texts(process.url) as found:
        assert [found.get(timeout=30), found.get(timeout=30)] == ["one", None]
    with urllib.request.urlopen(f"{process.url}/-/metrics", timeout=10) as answer:
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        families = {each.name: each for each in text_string_to_metric_families(answer.read().decode())}
    outcomes = {each.labels["outcome"]: each.value for each in families["tokentape_requests"].samples}
    assert outcomes == {"served": 1, "missed": 0, "models": 0, "live": 0}
    assert [each.value for each in families["tokentape_pieces_sent"].samples] == [4]
    assert [each.value for each in families["tokentape_running_streams"].samples] == [0]


def test_faults_are_given_to_a_replay_that_runs_and_the_journal_says_what_they_hit(replaying):
    process = replaying(told(0, (SOON_MS, event("one"))))
    control = Control(process.url)
    control.set_faults(["status=429,retry-after=0,times=1"])
    assert control.faults() == ("status=429,retry-after=0,times=1",)
    with texts(process.url) as found:  # the client tries again by itself
        assert [found.get(timeout=30), found.get(timeout=30)] == ["one", None]
    assert [(each.status, each.faults) for each in control.requests()] == [(429, control.faults()), (200, ())]
    assert [each.times for each in control.stats().faults] == [1]
    control.reset()
    assert [each.times for each in control.stats().faults] == [0]
    with texts(process.url) as found:
        assert [found.get(timeout=30), found.get(timeout=30)] == ["one", None]
    assert [each.status for each in control.requests()] == [429, 200]


def test_stats_over_http_are_what_is_printed_at_the_end(replaying):
    process = replaying(told(0, (SOON_MS, event("one"))), options=["--json"])
    with texts(process.url) as found:
        assert [found.get(timeout=30), found.get(timeout=30)] == ["one", None]
    with urllib.request.urlopen(f"{process.url}/-/stats", timeout=10) as answer:
        stats = json.load(answer)
    assert stats.pop("now")["exchanges"] == 1
    process.stop()
    assert stats == json.loads(process.stdout)


def test_it_says_where_it_is_steered_unless_it_is_not(replaying, tmp_path):
    process = replaying(told(0, (SOON_MS, event("one"))))
    assert process.wait_for(f"\n  steered at {process.url}/-/\n")
    with (
        Process.tokentape("replay", tmp_path / "a.tape", "--no-control") as other,
        connected(other.url) as client,
    ):
        client.sendall(post(b"", path="/-/pause"))
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404")
    assert "steered" not in other.stderr
    assert "served 0, missed 1" in other.stdout
