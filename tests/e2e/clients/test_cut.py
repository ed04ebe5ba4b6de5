"""An answer that was recorded as cut gives every client what it had before, and the error that it had."""

from pathlib import Path

import pytest

from tests.e2e.clients.asking import CLIENTS, Client, job
from tests.e2e.clients.conftest import Programs
from tests.e2e.clients.heard import Heard, difference
from tests.e2e.clients.plain_server import plain_server
from tests.e2e.clients.tapes import cut_tape_of
from tokentape.replay import Speed, serve


@pytest.mark.parametrize("speed", [1, "instant"])
@pytest.mark.parametrize("client", CLIENTS, ids=str)
def test_a_cut_answer_fails_as_it_did(
    heard: Heard, programs: Programs, client: Client, speed: Speed, tmp_path: Path
):
    program = programs.or_skip(client)
    bodies = [body for body in heard.bodies.values() if client.takes(body) and not body.recorded]
    with plain_server(heard.streams, cuts=True) as server:
        plain = program.ask(client.way, [job(client, server.url, body) for body in bodies])
    path = cut_tape_of(tmp_path / "cut.tape", server.asked, heard.streams)
    with serve(path, speed=speed) as replay:
        replayed = program.ask(client.way, [job(client, replay.url, body) for body in bodies])
    assert replay.stats.misses == 0
    assert any(told.error for told in plain)
    for body, ours, theirs in zip(bodies, plain, replayed, strict=True):
        if client.program == "node":  # what its streams hold when they fail, they drop: how much is chance
            assert (body.name, theirs.error) == (body.name, ours.error)
            assert all(one == other for one, other in zip(ours.yielded, theirs.yielded, strict=False))
        else:
            found = difference(client.comparable(ours), client.comparable(theirs))
            assert (body.name, found) == (body.name, "")
