"""What is answered under `/-/`, without a socket."""

import json
import logging

import pytest

from tests.replay.control.asking import ask, request, steering
from tests.replay.recordings import exchange, tape
from tokentape.cli._served import served_json
from tokentape.replay.control._steering import PAGE

METHODS = {
    "/-/health": {"GET", "HEAD"},
    "/-/stats": {"GET", "HEAD"},
    "/-/metrics": {"GET", "HEAD"},
    "/-/requests": {"GET", "HEAD"},
    "/-/reset": {"POST"},
    "/-/pause": {"POST"},
    "/-/resume": {"POST"},
    "/-/speed": {"PUT"},
    "/-/faults": {"GET", "HEAD", "PUT", "DELETE"},
}


def asked(server, *bodies, path="/v1/chat/completions"):
    """Let a server that does not listen answer requests."""
    for body in bodies:
        server._answering.reply_to(request("POST", path, body))


@pytest.mark.parametrize("path", METHODS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_a_method_that_a_path_does_not_have_is_405_with_those_that_it_has(path, method):
    if method in METHODS[path]:
        return
    found = ask(steering(), method, path)
    assert found.status == 405
    assert set(found.headers["allow"].split(", ")) == METHODS[path]
    if method != "HEAD":
        assert f"found {method}" in found.error


@pytest.mark.parametrize("path", ["/-/", "/-/nothing", "/-/stats/", "/-//health", "/-/../v1/models"])
def test_an_unknown_path_is_404_and_says_what_there_is(path):
    found = ask(steering(), "GET", path)
    assert found.status == 404
    for known in METHODS:
        assert f" {known};" in found.error
    assert "GET|PUT|DELETE /-/faults; found '" in found.error
    assert "\n" not in found.error


@pytest.mark.parametrize("path", [path for path, methods in METHODS.items() if "HEAD" in methods])
def test_head_is_get_without_its_body(path):
    of = steering()
    get, head = ask(of, "GET", path), ask(of, "HEAD", path)
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert int(head.headers["content-length"]) == len(get.body)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/-/speed", b""),
        ("/-/speed", b"2"),
        ("/-/speed", b"{}"),
        ("/-/speed", b'{"speed": 0}'),
        ("/-/speed", b'{"speed": -1}'),
        ("/-/speed", b'{"speed": NaN}'),
        ("/-/speed", b'{"speed": 1e999}'),
        ("/-/speed", b'{"speed": true}'),
        ("/-/speed", b'{"speed": null}'),
        ("/-/speed", b'{"speed": "instant"}'),
        ("/-/speed", b'{"speed": "\xff"}'),
        ("/-/speed", b'{"speed": 2, "ttft": 1}'),
        ("/-/speed", b"[" * 60_000),
        ("/-/faults", b""),
        ("/-/faults", b"{}"),
        ("/-/faults", b'"truncate@event=5"'),
        ("/-/faults", b"[1]"),
        ("/-/faults", b'["explode"]'),
        ("/-/faults", b'["truncate@event=5", "truncate"]'),
    ],
)
def test_a_body_that_makes_no_sense_is_400_in_one_line_and_changes_nothing(path, body):
    of = steering()
    ask(of, "PUT", "/-/faults", b'["truncate@event=7"]')
    found = ask(of, "PUT", path, body)
    assert found.status == 400
    assert path in found.error
    assert "expected" in found.error
    assert "\n" not in found.error
    assert of.server.speed == 1.0
    assert ask(of, "GET", "/-/faults").json == ["truncate@event=7"]


def test_a_body_that_is_too_long_is_413():
    assert ask(steering(), "PUT", "/-/speed", b" " * 70_000).status == 413


@pytest.mark.parametrize(
    "target",
    [
        "/-/health?x=1",
        "/-/stats?limit=ten",
        "/-/stats?limit=-1",
        "/-/stats?offset=",
        "/-/stats?after=1",
        "/-/requests?limit=1.5",
        "/-/requests?offset=1",
        "/-/requests?after=99999999999999999999",
        "/-/requests?after=%D9%A1",
        "/-/metrics?\x1b[2J=1",
    ],
)
def test_a_query_that_makes_no_sense_is_400(target):
    found = ask(steering(), "GET", target)
    assert found.status == 400
    assert found.error.isprintable()


def test_an_instant_replay_has_no_speed_to_change(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange()), speed="instant")
    found = ask(of, "PUT", "/-/speed", b'{"speed": 2}')
    assert found.status == 409
    assert "instant" in found.error
    assert ask(of).json["speed"] == "instant"


def test_health_says_what_there_is_and_what_runs(tmp_path):
    found = ask(steering(tape(tmp_path / "a.tape", exchange(0), exchange(1, body=b"x"))))
    assert found.headers["content-type"] == "application/json"
    assert found.json == {
        "status": "ok",
        "exchanges": 2,
        "connections": 0,
        "running": 0,
        "paused": False,
        "speed": 1.0,
        "workers": 1,
    }


def test_stats_are_what_the_command_prints_at_its_end_and_what_runs_now(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange(0), exchange(1, body=b"x")))
    asked(of.server, b"x", b"x", b"unknown")
    found = ask(of, "GET", "/-/stats").json
    assert found.pop("now") == ask(of).json
    assert found == json.loads(served_json(of.server.stats))
    assert (found["hits"], found["misses"], found["exchanges"], found["never_played"]) == (2, 1, 2, 1)


@pytest.mark.parametrize("count", [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE + 7])
def test_pages_of_stats_have_every_exchange_once(tmp_path, count):
    exchanges = [exchange(number, body=b"%d" % number, start_ms=number) for number in range(count + 1)]
    of = steering(tape(tmp_path / "a.tape", *exchanges))
    rows = []
    while page := ask(of, "GET", f"/-/stats?offset={len(rows)}&limit=100000").json["served"]:
        assert len(page) <= PAGE
        rows += page
    assert rows == json.loads(served_json(of.server.stats))["served"]
    assert len(rows) == count + 1
    assert ask(of, "GET", "/-/stats?limit=3").json["served"] == rows[:3]


def test_the_journal_comes_in_pages_from_the_end_or_after_a_number(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange(body=b"known")))
    asked(of.server, *[b"known"] * (PAGE + 20))
    numbers = [each["number"] for each in ask(of, "GET", "/-/requests").json["requests"]]
    assert numbers == list(range(21, PAGE + 21))
    for query, expected in [("limit=2", [119, 120]), ("after=0&limit=2", [1, 2]), ("after=119", [120])]:
        found = ask(of, "GET", f"/-/requests?{query}").json["requests"]
        assert [each["number"] for each in found] == expected
    assert ask(of, "GET", "/-/requests?after=120").json == {"requests": []}


def test_the_journal_explains_a_miss_and_hides_its_secret(tmp_path):
    secret = "sk-" + "a1" * 12
    of = steering(tape(tmp_path / "a.tape", exchange()))
    body = b'{"model":"m","stream":false,"api_key":"%s"}' % secret.encode()
    asked(of.server, body, path=f"/v1?key={secret}")
    found = ask(of, "GET", "/-/requests")
    (seen,) = found.json["requests"]
    assert (seen["outcome"], seen["status"], seen["path"]) == ("missed", 404, "/v1?key=[hidden]")
    assert "body.stream: recorded True, the request has False" in seen["explanation"]
    assert secret not in found.body.decode()


def test_faults_are_set_said_and_taken_away():
    of = steering()
    assert ask(of, "GET", "/-/faults").json == []
    assert ask(of, "PUT", "/-/faults", b'["truncate@event=5,times=1", "drop-done"]').json == [
        "truncate@event=5,times=1",
        "drop-done",
    ]
    assert [str(fault) for fault in of.server.faults] == ["truncate@event=5,times=1", "drop-done"]
    assert ask(of, "DELETE", "/-/faults").json == []
    assert of.server.faults == ()


def test_what_is_asked_here_is_neither_counted_nor_kept(tmp_path):
    of = steering(tape(tmp_path / "a.tape", exchange()))
    for path, methods in METHODS.items():
        for method in methods - {"POST", "PUT"}:
            ask(of, method, path)
    ask(of, "GET", "/-/nothing")
    assert (of.server.stats.hits, of.server.stats.misses, of.server.requests) == (0, 0, ())


@pytest.mark.parametrize("options", [{"keep_alive": False}, {"version": "1.0"}])
def test_an_answer_says_that_the_connection_ends(options):
    assert ask(steering(), **options).headers["connection"] == "close"
    assert ask(steering(), "GET", "/-/nothing", **options).headers["connection"] == "close"


def test_answers_are_bounded_however_much_was_served_and_seen(tmp_path, caplog):
    """The worst that clients can do: everything long, and all of it six times as long in JSON."""
    caplog.set_level(logging.CRITICAL, logger="tokentape.replay")
    long = "/v1/" + "千" * 400
    exchanges = [
        exchange(number, body=b'{"n":%d}' % number, path=long.encode(), start_ms=number)
        for number in range(3 * PAGE)
    ]
    of = steering(tape(tmp_path / "a.tape", *exchanges))
    asked(of.server, *(b'{"n":%d}' % number for number in range(3 * PAGE)), path=long)
    wide = {f"field{number}": "千" * 1_000 for number in range(100)}
    for number in range(3 * PAGE):
        asked(of.server, json.dumps(wide | {"n": -number}).encode(), path=f"{long}{number}")
    for target in ("/-/stats", "/-/requests", "/-/metrics"):
        assert len(ask(of, "GET", target).body) < PAGE * 20_000


@pytest.mark.parametrize(
    ("path", "body", "found"),
    [
        ("/-/faults", b"", "found an empty body"),
        ("/-/speed", b" \n", "found an empty body"),
        ("/-/faults", b'["\\ud800"]', "half of a character"),
        ("/-/speed", b'{"speed":"\\ud800"}', "half of a character"),
        ("/-/faults", b'["', "truncated"),
    ],
)
def test_a_body_that_cannot_be_read_is_called_what_it_is(path, body, found):
    answer = ask(steering(), "PUT", path, body)
    assert answer.status == 400
    assert found in answer.error


@pytest.mark.parametrize(
    "body", ['["{}"]', '{{"speed":"{}"}}', '{{"{}":1}}', '"{}"', '["split=1,model={},"]']
)
@pytest.mark.parametrize("path", ["/-/faults", "/-/speed"])
def test_an_error_stays_short_however_long_the_body_is(path, body):
    answer = ask(steering(), "PUT", path, body.format("a" * 60_000).encode())
    assert answer.status == 400
    assert len(answer.error) < 600


def test_more_than_a_hundred_faults_are_refused_and_change_nothing():
    of = steering()
    ask(of, "PUT", "/-/faults", b'["drop-done"]')
    answer = ask(of, "PUT", "/-/faults", json.dumps(["split=1"] * 101).encode())
    assert (answer.status, answer.error) == (
        400,
        "/-/faults: expected at most 100 faults in force, found 101",
    )
    assert [str(fault) for fault in of.server.faults] == ["drop-done"]
