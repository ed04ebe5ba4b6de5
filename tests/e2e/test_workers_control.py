"""Several processes at one port, steered as one by clients that do not know which of them they reach."""

import json
import os
import re
import signal
import socket
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from select import select
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.processes import Process, wait_until
from tests.e2e.test_workers import answer, children, numbered
from tests.replay.recordings import connected, exchange, post, read_all, read_until, tape
from tokentape.replay import Control, ControlError

MANY = 16  # connections: that all come to one process of several is out of question
NEVER_MS = 3_600_000
END = b"0\r\n\r\n"


@contextmanager
def replaying(path: Path, *options: str, workers: int = 3) -> Iterator[tuple[Process, Control]]:
    with Process.tokentape("replay", path, "--workers", str(workers), *options) as process:
        yield process, Control(process.url)


def long(path: Path) -> Path:
    return tape(path, exchange(pieces=[(2, b"data: 1\n\n"), (NEVER_MS, b"data: 2\n\n")], end_ms=NEVER_MS + 1))


def streaming(process: Process, stack: ExitStack, count: int = MANY) -> list[socket.socket]:
    """So many clients that have got the first piece of an answer."""
    clients = [stack.enter_context(connected(process.url)) for _ in range(count)]
    for client in clients:
        client.sendall(post())
    for client in clients:
        read_until(client, b"data: 1\n\n\r\n")
    return clients


def all_at_once(url: str, count: int) -> list[bytes]:
    """The answers to so many requests, each on a connection of its own."""

    def ask(_: int) -> bytes:
        with connected(url) as client:
            client.sendall(post(headers="Connection: close\r\n"))
            return read_all(client)

    with ThreadPoolExecutor(MANY) as pool:
        return [*pool.map(ask, range(count))]


def statuses(answers: list[bytes]) -> Counter[bytes]:
    return Counter(each.split(b" ", 2)[1] for each in answers)


def test_a_pause_holds_the_streams_of_all_and_a_resume_lets_them_go_on(tmp_path: Path):
    with replaying(long(tmp_path / "a.tape")) as (process, control), ExitStack() as stack:
        assert process.wait_for(f"\n  steered at {process.url}/-/\n")
        clients = streaming(process, stack)
        control.pause()
        control.set_speed(1e9)  # all are due by now, but for the pause
        health = control.health()
        assert (health.paused, health.running, health.workers) == (True, MANY, 3)
        assert health.connections >= MANY
        for client in clients:
            client.setblocking(False)
            with pytest.raises(BlockingIOError):
                client.recv(1)
            client.settimeout(20)
        control.resume()
        for client in clients:
            assert b"data: 2\n\n" in read_until(client, END)
        health = control.health()
        assert (health.paused, health.running, health.speed) == (False, 0, 1e9)


def test_a_speed_is_that_of_all(tmp_path: Path):
    with replaying(long(tmp_path / "a.tape")) as (process, control), ExitStack() as stack:
        clients = streaming(process, stack)
        control.set_speed(1e6)
        for client in clients:
            read_until(client, END)
        assert all(b"data: 2\n\n" in each for each in all_at_once(process.url, MANY))
        stats = control.stats()
        assert (stats.hits, stats.lateness.pieces) == (2 * MANY, 2 * MANY * 4)
        assert stats.speed is not None
        assert stats.speed > 100


def test_an_instant_replay_keeps_its_speed(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1), "--speed", "instant") as (_, control):
        with pytest.raises(ControlError, match="found one that is instant") as refused:
            control.set_speed(2)
        assert refused.value.status == 409
        assert control.health().speed == "instant"


@pytest.mark.parametrize("given_at", ["the start", "run time", "run time again", "after a reset"])
def test_a_fault_hits_so_often_over_all(tmp_path: Path, given_at: str):
    faults = ["status=429,times=3", "status=500,nth=7"]
    options = [word for fault in faults for word in ("--fault", fault)] if given_at == "the start" else []
    with replaying(numbered(tmp_path / "a.tape", 1), *options) as (process, control):
        if given_at != "the start":
            control.set_faults(["status=503,times=2"])
            assert statuses(all_at_once(process.url, MANY)) == {b"503": 2, b"200": MANY - 2}
            control.set_faults(faults)
        if given_at == "run time again":
            assert statuses(all_at_once(process.url, MANY)) == {b"429": 3, b"500": 1, b"200": MANY - 4}
            control.set_faults(faults)
        if given_at == "after a reset":
            assert statuses(all_at_once(process.url, MANY)) == {b"429": 3, b"500": 1, b"200": MANY - 4}
            control.reset()
        assert control.faults() == tuple(faults)
        assert statuses(all_at_once(process.url, MANY)) == {b"429": 3, b"500": 1, b"200": MANY - 4}
        found = {each.fault: each.times for each in control.stats().faults}
        again = 2 if given_at == "run time again" else 1
        assert found.items() >= {faults[0]: 3 * again, faults[1]: again}.items()
        hit = [each.faults for each in control.requests() if each.faults]
        control.set_faults([])
        assert statuses(all_at_once(process.url, 3)) == {b"200": 3}
    assert sum(each == ("status=429,times=3",) for each in hit) == 3 * again
    assert f"fault {faults[0]}: hit {3 * again} times\n" in process.stdout


def test_a_fault_that_makes_no_sense_changes_nothing(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1)) as (process, control):
        control.set_faults(["status=429"])
        for wrong in (["explode"], ["split=1"] * 4_097):
            with pytest.raises(ControlError, match="expected") as refused:
                control.set_faults(wrong)
            assert refused.value.status == 400
        assert control.faults() == ("status=429",)
        assert statuses(all_at_once(process.url, MANY)) == {b"429": MANY}


def test_a_reset_begins_again_in_all(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", MANY), "--exhausted", "error") as (process, control):
        for _ in range(2):
            with ThreadPoolExecutor(MANY) as pool:
                answers = [*pool.map(lambda _: answer(process.url), range(MANY))]
            assert Counter(answers) == Counter(b"%d" % number for number in range(MANY))
            with connected(process.url) as client:
                client.sendall(post(path="/v1/other"))
                read_until(client, b"}}")
            stats = control.stats()
            assert (stats.hits, stats.misses, len(stats.never_played)) == (MANY, 1, 0)
            assert [each.number for each in control.requests()] == [*range(1, MANY + 2)]
            control.reset()
            stats = control.stats()
            assert (stats.hits, stats.misses, stats.lateness.pieces, stats.speed) == (0, 0, 0, None)
            assert control.requests() == ()
    assert f"served 0, missed 0; {MANY} of {MANY} never played" in process.stdout


def test_the_journal_has_what_came_to_any_in_the_order_in_which_it_came(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1)) as (process, control):
        for number in range(2 * MANY):
            with connected(process.url) as client:
                client.sendall(post(path=f"/v1/{number}", headers="Connection: close\r\n"))
                read_all(client)
        found = control.requests()
        assert [each.number for each in found] == [*range(1, 2 * MANY + 1)]
        assert [each.path for each in found] == [f"/v1/{number}" for number in range(2 * MANY)]
        assert sorted(each.unix_ns for each in found) == [each.unix_ns for each in found]
        with urllib.request.urlopen(f"{process.url}/-/requests?after=5&limit=3", timeout=10) as page:
            assert [each["number"] for each in json.load(page)["requests"]] == [6, 7, 8]
        with urllib.request.urlopen(f"{process.url}/-/requests?limit=2", timeout=10) as page:
            assert [each["number"] for each in json.load(page)["requests"]] == [2 * MANY - 1, 2 * MANY]


def test_the_journal_keeps_the_last_thousand_of_all_and_can_be_followed(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1), "--speed", "instant") as (process, control):
        seen = []
        for _ in range(5):
            all_at_once(process.url, 300)
            seen += control._requests_after(seen[-1].number if seen else 0)
            while more := control._requests_after(seen[-1].number):
                seen += more
        assert [each.number for each in seen] == [*range(1, 1_501)]
        assert [each.number for each in control.requests()] == [*range(501, 1_501)]


def test_metrics_and_statistics_are_of_all_and_are_what_is_printed_at_the_end(tmp_path: Path):
    path = tape(tmp_path / "a.tape", exchange(body=b"known"), exchange(1, body=b"never", start_ms=9))
    with replaying(path, "--json", "--fault", "status=429,times=2") as (process, control):

        def ask(number: int) -> bytes:
            with connected(process.url) as client:
                body = b"known" if number % 4 else b"unknown"
                client.sendall(post(body, headers="Connection: close\r\n"))
                return read_all(client)

        with ThreadPoolExecutor(MANY) as pool:
            answers = [*pool.map(ask, range(4 * MANY))]
        assert statuses(answers) == {b"404": MANY, b"429": 2, b"200": 3 * MANY - 2}
        families = {each.name: each for each in text_string_to_metric_families(control.metrics())}

        def values(name: str) -> dict[str, float]:
            samples = families[f"tokentape_{name}"].samples
            return {"".join(each.labels.values()): each.value for each in samples}

        outcomes = {"served": 3 * MANY, "missed": MANY, "models": 0, "live": 0}
        assert values("requests") == outcomes
        assert {kind: count for kind, count in values("fault_hits").items() if count} == {"status": 2}
        assert (values("workers"), values("lost_workers")) == ({"": 3}, {"": 0})
        assert values("pieces_sent") == {"": control.stats().lateness.pieces}
        with urllib.request.urlopen(f"{process.url}/-/stats", timeout=10) as page:
            stats = json.load(page)
        now = stats.pop("now")
        assert (now["exchanges"], now["running"], now["workers"]) == (2, 0, 3)
        assert [each["times"] for each in stats["served"]] == [3 * MANY, 0]
        assert [(each["path"], each["times"]) for each in stats["missed"]] == [("/v1/chat/completions", MANY)]
    assert stats == json.loads(process.stdout)


def test_a_worker_that_dies_while_it_is_asked_holds_up_nothing(tmp_path: Path):
    with replaying(long(tmp_path / "a.tape")) as (process, control):
        victim, *others = children(process)
        os.kill(victim, signal.SIGSTOP)  # it takes no connection, but the system gives it some
        with ThreadPoolExecutor(MANY) as pool:
            asked = [pool.submit(Control(process.url, timeout_s=20).pause) for _ in range(MANY)]
            os.kill(victim, signal.SIGKILL)
            found = [each.exception(20) for each in asked]
        answered = [each for each in found if each is None]
        assert answered
        assert all(isinstance(each, ControlError) for each in found if each is not None)
        assert process.wait_for("has ended with SIGKILL: 2 workers left")
        wait_until(lambda: control.health().workers == 2, "it is known")
        assert control.health().paused
        assert control.stats().lost_workers == 1
        assert len(others) == 2
    assert process.returncode == 3


def test_a_worker_that_stands_still_is_said(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1), workers=2) as (process, control), ExitStack() as stack:
        victim, _ = children(process)
        os.kill(victim, signal.SIGSTOP)
        try:
            clients = [stack.enter_context(connected(process.url)) for _ in range(MANY)]
            for client in clients:
                client.sendall(b"GET /-/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answered, _, _ = select(clients, [], [], 30)
            found = read_until(answered[0], b"}}")
        finally:
            os.kill(victim, signal.SIGCONT)
        assert found.startswith(b"HTTP/1.1 503")
        assert b"expected every worker to answer soon" in found
        for client in clients:
            if client not in answered:  # goes on with the one that had not answered
                assert client.recv(65536).startswith(b"HTTP/1.1 ")
        assert control.health().workers == 2


def test_requests_of_strangers_and_those_that_make_no_sense_are_refused(tmp_path: Path):
    with replaying(numbered(tmp_path / "a.tape", 1)) as (process, control):
        own = urlsplit(process.url).netloc
        for head, status in [
            ("GET /-/health HTTP/1.1\r\nHost: evil.example\r\n", 403),
            (f"POST /-/pause HTTP/1.1\r\nHost: {own}\r\nOrigin: http://evil.example\r\n", 403),
            (f"GET /-/nothing HTTP/1.1\r\nHost: {own}\r\n", 404),
            (f"DELETE /-/health HTTP/1.1\r\nHost: {own}\r\n", 405),
            (f"PUT /-/speed HTTP/1.1\r\nHost: {own}\r\nContent-Length: 70000\r\n", 413),
            (f"GET /-/stats?limit=x HTTP/1.1\r\nHost: {own}\r\n", 400),
        ]:
            with connected(process.url) as client:
                client.sendall(head.encode() + b"\r\n" + (b" " * 70_000 if status == 413 else b""))
                assert read_until(client, b"}}").startswith(b"HTTP/1.1 %d" % status)
        assert not control.health().paused


def test_one_connection_asks_again_and_again_and_at_once_and_in_http_10(tmp_path: Path):
    health = b"GET /-/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with replaying(numbered(tmp_path / "a.tape", 1), workers=2) as (process, _):
        with connected(process.url) as client:
            client.sendall(health * 20 + post() + health)
            client.shutdown(socket.SHUT_WR)  # who sends no more still reads
            found = read_all(client)
        assert found.count(b'"status": "ok"') == 21
        assert found.index(b"data: 0") > found.index(b'"status": "ok"')
        assert set(re.findall(rb'"running": (\d+)', found)) == {b"0"}
        with connected(process.url) as client:
            client.sendall(b"GET /-/health HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n")
            assert b"\r\nconnection: close\r\n" in read_all(client)


def test_without_control_what_is_recorded_under_it_is_served(tmp_path: Path):
    path = tape(tmp_path / "a.tape", exchange())
    with (
        Process.tokentape("replay", path, "--workers", "2", "--no-control") as process,
        connected(process.url) as client,
    ):
        client.sendall(post(b"", path="/-/pause"))
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404")
    assert "steered" not in process.stderr
    assert "served 0, missed 1" in process.stdout
