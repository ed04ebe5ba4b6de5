"""A server that is paused, resumed and given another speed while it plays, over real sockets."""

import asyncio
import threading
import time

import pytest

from tests.replay.recordings import connected, exchange, post, read_until, tape
from tokentape.replay import Repertoire, Server, Timing, load, serve

HOUR_MS = 3_600_000


def slow(path):
    """An answer whose end comes an hour after its first piece."""
    return tape(path, exchange(pieces=[(1, b"data: 1\n\n"), (HOUR_MS, b"data: [DONE]\n\n")], end_ms=HOUR_MS))


def test_an_answer_that_is_on_its_way_goes_on_at_the_new_speed(tmp_path):
    with serve(slow(tmp_path / "a.tape")) as replay, connected(replay.url) as client:
        client.sendall(post())
        read_until(client, b"data: 1\n\n\r\n")
        replay.set_speed(1e9)
        assert read_until(client, b"0\r\n\r\n").startswith(b"e\r\ndata: [DONE]")
        assert replay.speed == 1e9
    assert replay.stats.speed is not None
    assert replay.stats.speed > 100


def test_nothing_is_sent_while_it_is_paused_and_all_of_it_after(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange()), speed="instant") as replay:
        replay.pause()
        assert replay.paused
        with connected(replay.url) as client:
            client.sendall(post())
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                client.recv(1)
            client.settimeout(10)
            replay.resume()
            assert not replay.paused
            assert read_until(client, b"0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_a_miss_is_answered_while_it_is_paused(tmp_path):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay, connected(replay.url) as client:
        replay.pause()
        client.sendall(post(b"unknown"))
        assert read_until(client, b"}}").startswith(b"HTTP/1.1 404")


def test_a_speed_is_relative_to_the_recording_not_to_the_timing_it_was_begun_with(tmp_path):
    async def due_after_two_changes():
        now = [10**9]
        repertoire = load(slow(tmp_path / "a.tape"), speed=2)
        async with Server(repertoire, clock=lambda: now[0]) as server:
            await server.start()
            server.set_speed(8)
            return server._pacer._player.rate, server.speed

    assert asyncio.run(due_after_two_changes()) == (4, 8.0)


@pytest.mark.parametrize("wrong", [0, -1, "instant", "fast"])
def test_a_speed_that_is_none_is_refused_and_changes_nothing(tmp_path, wrong):
    with serve(tape(tmp_path / "a.tape", exchange())) as replay:
        with pytest.raises(ValueError, match="expected a positive number"):
            replay.set_speed(wrong)
        assert replay.speed == 1.0


def test_an_instant_replay_has_no_speed_to_change(tmp_path):
    with (
        serve(tape(tmp_path / "a.tape", exchange()), speed="instant") as replay,
        pytest.raises(ValueError, match="found one that is instant"),
    ):
        replay.set_speed(2)


def test_a_server_that_was_not_started_or_has_stopped_says_so(tmp_path):
    with pytest.raises(RuntimeError, match="expected a server that was started"):
        Server(Repertoire(recorded=())).pause()
    with serve(tape(tmp_path / "a.tape", exchange())) as replay:
        pass
    with pytest.raises(RuntimeError, match="expected a replay that is running, found one that has stopped"):
        replay.pause()


def test_it_may_be_steered_from_many_threads(tmp_path):
    with serve(slow(tmp_path / "a.tape")) as replay, connected(replay.url) as client:
        client.sendall(post())
        changes = [replay.pause, replay.resume, lambda: replay.set_speed(1.5)] * 30
        threads = [threading.Thread(target=change) for change in changes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        replay.resume()
        replay.set_speed(1e9)
        read_until(client, b"0\r\n\r\n")
    assert replay.stats.hits == 1


def test_the_speed_achieved_is_that_of_the_answers_that_were_played(tmp_path):
    path = tape(tmp_path / "a.tape", exchange(pieces=[(400, b"x")], end_ms=400))
    with serve(path, timing=Timing(speed=4)) as replay, connected(replay.url) as client:
        assert replay.stats.speed is None
        began = time.monotonic()
        client.sendall(post())
        read_until(client, b"0\r\n\r\n")
    took_s = time.monotonic() - began  # the server may look at its clock when the client has read the end
    assert replay.stats.speed is not None
    assert 0.4 / took_s <= replay.stats.speed <= 4
