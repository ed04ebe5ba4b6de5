"""What the recorder wrote of a client is replayed to it as what it had, and as a plain server has it."""

from pathlib import Path

import pytest

from tests.e2e.clients.asking import CLIENTS, Client, job
from tests.e2e.clients.conftest import Programs
from tests.e2e.clients.heard import Heard, difference
from tests.e2e.clients.plain_server import plain_server
from tests.e2e.processes import Process

SOME = [
    client
    for client in CLIENTS
    if str(client) in {"openai-3 async", "anthropic sync", "aiohttp async", "node openai"}
]


@pytest.mark.parametrize("client", SOME, ids=str)
def test_a_recorder_and_the_replay_of_its_cassette_yield_what_a_plain_server_yields(
    heard: Heard, programs: Programs, client: Client, home: dict[str, str], tmp_path: Path
):
    program = programs.or_skip(client)
    bodies = [body for body in heard.bodies.values() if client.takes(body)]
    plain = [client.comparable(heard.plain(client)[body.model]) for body in bodies]
    tape = tmp_path / "recorded.tape"
    with plain_server(heard.streams) as server:
        recorder = Process.tokentape("record", "--upstream", server.url, "-o", tape, env=home)
        with recorder:
            through = program.ask(client.way, [job(client, recorder.url, body) for body in bodies])
    with Process.tokentape("replay", tape) as replay:
        replayed = program.ask(client.way, [job(client, replay.url, body) for body in bodies])
    for body, ours, *others in zip(bodies, plain, through, replayed, strict=True):
        for told in others:
            assert (body.name, difference(ours, client.comparable(told))) == (body.name, "")
