"""What is to be tried again is, by the clients' own rules, and then succeeds; a miss is not tried again."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.clients.asking import CLIENTS, Client, job
from tests.e2e.clients.bodies import Body
from tests.e2e.clients.conftest import Programs
from tests.e2e.clients.heard import Heard
from tests.e2e.clients.tapes import tape_of
from tokentape.replay import serve

SDKS = tuple(client for client in CLIENTS if client.decodes)
# whole seconds; at 0 clients wait as long as they like, which is half a second
TOO_MANY = "status=429,retry-after=0"

each_sdk = pytest.mark.parametrize("client", SDKS, ids=str)


@each_sdk
def test_what_is_refused_once_succeeds_at_the_second_try(
    heard: Heard, programs: Programs, client: Client, tmp_path: Path
):
    program = programs.or_skip(client)
    body = _one_body(heard, client)
    path = _tape(tmp_path / "one.tape", heard, client, [body])
    with serve(path, speed="instant", faults=[f"{TOO_MANY},times=1"]) as replay:
        (told,) = program.ask(client.way, [job(client, replay.url, body)])
    assert told == heard.plain(client)[body.model]
    (refused,) = replay.stats.faults
    assert (refused.times, replay.stats.hits, replay.stats.misses) == (1, 2, 0)


@pytest.mark.parametrize("client", [each for each in SDKS if each.way != "async"], ids=str)
def test_what_is_refused_always_fails_with_the_error_of_the_client(
    heard: Heard, programs: Programs, client: Client, tmp_path: Path
):
    program = programs.or_skip(client)
    body = _one_body(heard, client)
    path = _tape(tmp_path / "one.tape", heard, client, [body])
    with serve(path, speed="instant", faults=[TOO_MANY]) as replay:
        (told,) = program.ask(client.way, [job(client, replay.url, body)])
    assert told.yielded == []
    assert told.error is not None
    assert "RateLimit" in told.error[0]
    (refused,) = replay.stats.faults
    assert refused.times == replay.stats.hits == 3  # all of these clients try twice again


@each_sdk
def test_a_miss_is_not_tried_again_and_says_what_came_nearest(
    heard: Heard, programs: Programs, client: Client, tmp_path: Path
):
    program = programs.or_skip(client)
    body = _one_body(heard, client)
    other = Body("not-there", "", body.api, body.stream, recorded=False)
    path = _tape(tmp_path / "one.tape", heard, client, [body])
    with serve(path, speed="instant") as replay:
        (told,) = program.ask(client.way, [job(client, replay.url, other)])
    assert told.yielded == []
    assert told.error is not None
    assert "NotFound" in told.error[0]
    assert body.model in told.error[1]
    assert (replay.stats.misses, replay.stats.hits) == (1, 0)


def _one_body(heard: Heard, client: Client) -> Body:
    """Return the first body that a client takes, which is written here."""
    return next(body for body in heard.bodies.values() if client.takes(body))


def _tape(path: Path, heard: Heard, client: Client, bodies: Sequence[Body]) -> Path:
    models = {body.model for body in bodies}
    asked = [each for each in heard.asked[client] if each.answered in models]
    return tape_of(path, asked, heard.streams)
