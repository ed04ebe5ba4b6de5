"""Several processes at one port, seen by clients that do not know."""

import os
import re
import signal
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.e2e.processes import Process, run, wait_until
from tests.replay.recordings import connected, exchange, post, read_until, tape

ASKED = 60


def children(process: Process) -> list[int]:
    found = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in found]


def answer(url: str) -> bytes:
    """Ask once, on a connection of its own; return what it says."""
    with connected(url) as client:
        client.sendall(post())
        found = read_until(client, b"0\r\n\r\n")
    told = re.search(rb"data: (\d+)", found)
    assert told is not None
    return told[1]


def numbered(path: Path, count: int) -> Path:
    return tape(
        path,
        *(
            exchange(number, start_ms=number, pieces=[(2, b"data: %d\n\n" % number)])
            for number in range(count)
        ),
    )


def test_answers_take_turns_whichever_process_they_come_from(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", ASKED)
    with Process.tokentape("replay", path, "--workers", "3", "--exhausted", "error") as replay:
        assert len(children(replay)) == 3
        with ThreadPoolExecutor(12) as pool:
            answers = [*pool.map(lambda _: answer(replay.url), range(ASKED))]
        with connected(replay.url) as client:
            client.sendall(post())
            assert b'"code": "exhausted"' in read_until(client, b"}}")
    assert Counter(answers) == Counter(b"%d" % number for number in range(ASKED))
    assert replay.returncode == 0
    assert f"served {ASKED}, missed 1; 0 of {ASKED} never played" in replay.stdout
    assert f"lateness of {ASKED * 3} pieces: " in replay.stdout


def test_recorded_order_holds_over_all_processes(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", 20)
    with Process.tokentape("replay", path, "--workers", "2", "--order", "recorded") as replay:
        assert [answer(replay.url) for _ in range(20)] == [b"%d" % number for number in range(20)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_all_lets_answers_end_and_counts_them(tmp_path: Path, number: signal.Signals):
    path = tape(
        tmp_path / "a.tape", exchange(pieces=[(2, b"data: 1\n\n"), (2_500, b"data: 2\n\n")], end_ms=2_501)
    )
    with Process.tokentape("replay", path, "--workers", "2") as replay, connected(replay.url) as client:
        client.sendall(post())
        read_until(client, b"data: 1\n\n\r\n")
        for pid in children(replay):
            os.kill(pid, number)  # as a terminal does with Ctrl-C
        os.kill(replay.pid, number)
        read_until(client, b"0\r\n\r\n")
        assert replay.wait_for("stopping: answers have 3 s to end")
        wait_until(lambda: replay.ended, "it has ended")
    assert "served 1, missed 0" in replay.stdout
    assert replay.returncode == 0


def test_a_worker_that_is_killed_is_said_and_the_others_go_on(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", 1)
    with Process.tokentape("replay", path, "--workers", "2") as replay:
        victim, _ = children(replay)
        os.kill(victim, signal.SIGKILL)
        assert replay.wait_for("has ended with SIGKILL: 1 worker left")
        assert [answer(replay.url) for _ in range(5)] == [b"0"] * 5
    assert replay.returncode == 3
    assert "served 5, missed 0" in replay.stdout
    assert "1 worker ended early: what they did is not all counted" in replay.stderr


def test_when_all_workers_are_gone_the_replay_ends(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", 1)
    with Process.tokentape("replay", path, "--workers", "2") as replay:
        for pid in children(replay):
            os.kill(pid, signal.SIGKILL)
        assert replay.wait_for("none is left")
        wait_until(lambda: replay.ended, "the first process has ended")
    assert replay.returncode == 3


def test_workers_end_with_the_process_that_forked_them(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", 1)
    with Process.tokentape("replay", path, "--workers", "2") as replay:
        pids = children(replay)
        os.kill(replay.pid, signal.SIGKILL)
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "the workers have ended")


@pytest.mark.parametrize("shares", [False, True])
def test_a_port_that_somebody_has_is_not_shared_with_a_stranger(tmp_path: Path, shares: bool):
    path = numbered(tmp_path / "a.tape", 1)
    with socket.socket() as taken:
        if shares:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        found = run("replay", path, "--workers", "2", "--listen", f"127.0.0.1:{port}", check=False)
    assert found.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another" in found.stderr
    assert "Traceback" not in found.stderr


def test_reload_wants_one_process(tmp_path: Path):
    found = run("replay", numbered(tmp_path / "a.tape", 1), "--workers", "2", "--reload", check=False)
    assert found.returncode == 2
    assert "expected one worker beside --reload" in found.stderr


def test_a_second_signal_cuts_answers_off_in_all_processes(tmp_path: Path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(2, b"data: 1\n\n"), (60_000, b"x")], end_ms=60_001))
    with Process.tokentape("replay", path, "--workers", "2") as replay, connected(replay.url) as client:
        client.sendall(post())
        read_until(client, b"data: 1\n\n\r\n")
        os.kill(replay.pid, signal.SIGINT)
        assert replay.wait_for("stopping: answers have 3 s to end")
        os.kill(replay.pid, signal.SIGINT)
        wait_until(lambda: replay.ended, "it has ended")
    assert replay.returncode == 0
    assert "1 cut off by the stop" in replay.stdout


def test_a_worker_that_does_not_stop_is_killed_and_said(tmp_path: Path):
    path = numbered(tmp_path / "a.tape", 1)
    with Process.tokentape("replay", path, "--workers", "2") as replay:
        stuck, _ = children(replay)
        os.kill(stuck, signal.SIGSTOP)
        os.kill(replay.pid, signal.SIGTERM)
        assert replay.wait_for("stopping: answers have 3 s to end")
        os.kill(replay.pid, signal.SIGTERM)
        wait_until(lambda: replay.ended, "it has ended")
    assert f"(process {stuck}) did not stop, and was killed" in replay.stderr
    assert replay.returncode == 3
    assert "0 of 1 never played" in replay.stdout or "1 of 1 never played" in replay.stdout
