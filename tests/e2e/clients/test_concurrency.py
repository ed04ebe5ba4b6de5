"""Many streams at once, of one client that is asynchronous: each yields its own body."""

import json
from pathlib import Path

import pytest

from tests.e2e.clients.asking import CLIENTS, Client, Told, job
from tests.e2e.clients.bodies import EVENT_STREAM, Body
from tests.e2e.clients.conftest import Programs
from tests.e2e.clients.plain_server import Asked, plain_server
from tests.e2e.clients.tapes import tape_of
from tests.streams import Stream, anthropic_messages, choice, chunk, cut, event
from tokentape.replay import serve

MANY = 50
AT_ONCE = tuple(client for client in CLIENTS if client.way != "sync")

each_client = pytest.mark.parametrize("client", AT_ONCE, ids=str)


@each_client
def test_requests_that_differ_get_each_its_own_body(programs: Programs, client: Client, tmp_path: Path):
    program = programs.or_skip(client)
    bodies = [_body(client, number) for number in range(MANY)]
    streams = {body.model: body.stream for body in bodies}
    with plain_server(streams) as server:
        plain = program.ask(client.way, [job(client, server.url, body) for body in bodies])
    path = tape_of(tmp_path / "many.tape", server.asked, streams, gap_ms=1)
    with serve(path) as replay:
        jobs = [job(client, replay.url, body) for body in bodies]
        told = program.ask(client.way, jobs, together=True)
    assert [client.comparable(each) for each in told] == [client.comparable(each) for each in plain]
    assert {each.times for each in replay.stats.served} == {1}
    assert all(told.yielded and told.error is None for told in plain)


@each_client
def test_requests_that_are_the_same_get_each_another_body(programs: Programs, client: Client, tmp_path: Path):
    program = programs.or_skip(client)
    bodies = [_body(client, number) for number in range(MANY)]
    streams = {body.model: body.stream for body in bodies}
    with plain_server(streams) as server:
        plain = program.ask(client.way, [job(client, server.url, body) for body in bodies])
    first = server.asked[0]
    asked = [Asked(first.method, first.target, first.headers, first.body, body.model) for body in bodies]
    path = tape_of(tmp_path / "same.tape", asked, streams, gap_ms=1)
    with serve(path) as replay:
        told = program.ask(client.way, [job(client, replay.url, bodies[0])] * MANY, together=True)
    assert {each.times for each in replay.stats.served} == {1}
    assert sorted(_text(client, each) for each in told) == sorted(_text(client, each) for each in plain)


def _text(client: Client, told: Told) -> str:
    return json.dumps(client.comparable(told))


def _body(client: Client, number: int) -> Body:
    """Return a body that no other is like."""
    api = "openai-chat" if client.takes_chat else "anthropic-messages"
    if client.takes_chat:
        events = [event(chunk(choice(content=f"{number}/{word} 你好🙂"))) for word in range(20)]
        pieces = cut(b"".join([*events, event("[DONE]")]), number)
    else:
        pieces = tuple(piece.replace(b"Hello", b"Hello %d" % number) for piece in anthropic_messages().pieces)
    stream = Stream(name=f"many-{number}", pieces=pieces, headers=(EVENT_STREAM,))
    return Body(stream.name, stream.name, api, stream, recorded=False)
