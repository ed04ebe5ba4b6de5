"""The last requests that came, and what became of each."""

import threading

import pytest

from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.replay import serve
from tokentape.replay._journal import Journal, merged
from tokentape.replay.matching._request_key import request_key

KEY = request_key("POST", b"/v1/chat/completions", b"{}")


def numbers(seen):
    return [each.number for each in seen]


def journal(count, *, kept=10):
    times = iter(range(count))
    made = Journal(kept=kept, wall_clock=lambda: next(times))
    for _ in range(count):
        made.add(KEY, outcome="served", status=200, source="a.tape, exchange 0")
    return made


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 37])
def test_the_last_are_kept_and_numbered_from_the_first_that_came(count):
    made = journal(count)
    kept = list(range(max(count - 10, 0) + 1, count + 1))
    assert numbers(made.all()) == kept
    assert [each.unix_ns for each in made.all()] == [number - 1 for number in kept]
    for limit in range(13):
        assert numbers(made.last(limit)) == (kept[-limit:] if limit else [])
        for after in range(count + 3):
            assert numbers(made.after(after, limit)) == [each for each in kept if each > after][:limit]


def test_after_it_was_cleared_numbers_begin_again():
    made = Journal()
    made.add(KEY, outcome="models", status=200)
    made.clear()
    made.start_again()
    assert made.all() == ()
    made.add(KEY, outcome="missed", status=404, explanation="nothing like it")
    assert numbers(made.all()) == [1]


def test_what_it_shows_has_no_secret_and_commands_no_terminal():
    made = Journal()
    secret = "sk-" + "b2" * 12
    for path in (f"/v1?api_key={secret}", f"/v1/{secret}", "/v1/\x1b[2J", "/v1?key=" + "x" * 100_000):
        made.add(request_key("P\x9bT", path.encode(), b""), outcome="served", status=200)
    for seen in made.all():
        assert secret not in repr(seen)
        assert seen.path.isprintable()
        assert seen.method == "P\\x9bT"
        assert len(seen.path) < 1_000


def test_it_keeps_no_more_of_a_long_path_than_it_shows():
    made = Journal(kept=5)
    for _ in range(10):
        made.add(request_key("GET", b"/" + b"x" * 60_000, b"y" * 1_000_000), outcome="served", status=200)
    assert sum(len(entry.path) for entry in made._entries) <= 5 * 4_096


def test_it_may_be_read_while_requests_come():
    made = Journal()
    done = threading.Event()

    def read():
        while not done.is_set():
            found = numbers(made.all())
            assert found == list(range(found[0], found[0] + len(found))) if found else True
            seen.append(len(found))

    seen: list[int] = []
    failed = []
    reader = threading.Thread(target=lambda: failed.append(_error(read)))
    reader.start()
    for _ in range(20_000):
        made.add(KEY, outcome="served", status=200)
    done.set()
    reader.join(30)
    assert failed == [None]


def _error(call):
    try:
        call()
    except BaseException as error:  # noqa: BLE001  (the test says which)
        return error
    return None


def test_a_test_asks_what_its_client_sent(tmp_path):
    failed = exchange(1, body=b"failed", status=None, end_reason="upstream-error", start_ms=10)
    with serve(tape(tmp_path / "a.tape", exchange(0), failed), speed="instant") as replay:
        assert replay.requests == ()
        with connected(replay.url) as client:
            client.sendall(post())
            read_until(client, b"0\r\n\r\n")
            for asked in (post(b"unknown"), post(b"failed")):
                client.sendall(asked)
                read_until(client, b"}}")
            client.sendall(post(b"", method="GET", path="/v1/models"))
            read_until(client, b"}")
        served, missed, broken, models = replay.requests
    assert (served.number, served.method, served.path) == (1, "POST", "/v1/chat/completions")
    assert (served.outcome, served.status) == ("served", 200)
    assert served.source is not None
    assert served.source.endswith("a.tape, exchange 0")
    assert served.explanation is None
    assert (missed.outcome, missed.status, missed.source) == ("missed", 404, None)
    assert missed.explanation == replay.explanations[0]
    assert (broken.outcome, broken.status) == ("served", None)
    assert (models.outcome, models.status, models.path) == ("models", 200, "/v1/models")
    assert served.unix_ns <= missed.unix_ns <= broken.unix_ns <= models.unix_ns


def test_it_says_which_faults_hit_an_answer_and_what_they_made_of_its_status(tmp_path):
    faults = ["status=429,times=1", "drop-done,nth=2", "dup@event=1,nth=2"]
    with serve(tape(tmp_path / "a.tape", exchange()), speed="instant", faults=faults) as replay:
        for ending in (b"}}", b"0\r\n\r\n", b"0\r\n\r\n"):
            with connected(replay.url) as client:
                client.sendall(post())
                read_until(client, ending)
        assert [(seen.status, seen.faults) for seen in replay.requests] == [
            (429, ("status=429,times=1",)),
            (200, ("drop-done,nth=2", "dup@event=1,nth=2")),
            (200, ()),
        ]


@pytest.mark.parametrize("count", [0, 1, 7, 30, 1_000, 1_100])
def test_journals_that_number_together_are_read_as_one(count):
    """As if all had come to one: each page of it, from any number, and its last ones."""
    together = [Journal() for _ in range(3)]
    for each in together[1:]:
        each._numbers = together[0]._numbers  # as the memory that processes share
    one = Journal()
    for number in range(count):
        for made in (one, together[number * number % 3]):
            made.add(KEY, outcome="served", status=number, source="a.tape, exchange 0")

    def page(after, limit):
        return merged((each.entries(after, limit, count) for each in together), after, limit)

    def shown(found):
        return [(each.number, each.status) for each in found]

    assert shown(page(-1, 5_000)) == shown(one.all())
    assert shown(page(-1, 4)) == shown(one.last(4))
    for after in {0, 1, 5, 99, 100, 101, count - 1, count, count + 1} - {-1}:
        for limit in (0, 1, 3, 5_000):
            assert shown(page(after, limit)) == shown(one.after(after, limit))


def test_what_came_while_others_were_asked_waits_for_the_next_page():
    made = Journal()
    for _ in range(5):
        made.add(KEY, outcome="models", status=200)
    assert [each.number for each in made.entries(1, 10, 3)] == [2, 3]
    assert [each.number for each in made.entries(-1, 2, 3)] == [2, 3]


def test_a_status_that_comes_later_is_given_to_its_own_request_or_to_none():
    made = Journal(kept=2)
    first, second = (made.add(KEY, outcome="live", status=None) for _ in range(2))
    made.answered(first, 200)
    assert [(each.number, each.status) for each in made.all()] == [(1, 200), (2, None)]
    made.clear()
    made.start_again()
    made.add(KEY, outcome="live", status=None)
    made.add(KEY, outcome="live", status=None)
    made.answered(second, 500)  # it was forgotten, and another has its number
    assert [(each.number, each.status) for each in made.all()] == [(1, None), (2, None)]
