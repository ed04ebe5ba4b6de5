"""Unmodified clients stream every body from a replay and yield what they yield from a plain server."""

import gzip
import json
from base64 import b64decode
from typing import Any

import pytest

from tests.corpus import ABSENT, IS_HERE
from tests.e2e.clients.asking import CLIENTS, Client, Told
from tests.e2e.clients.environments import Absent
from tests.e2e.clients.heard import SOURCES, Heard

_OF_THE_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length"}

from_both = pytest.mark.parametrize(
    "recorded",
    [
        pytest.param(False, id="small"),
        pytest.param(True, id="corpus", marks=pytest.mark.skipif(not IS_HERE, reason=ABSENT)),
    ],
)
each_client = pytest.mark.parametrize("client", CLIENTS, ids=str)


@from_both
@pytest.mark.parametrize("source", SOURCES)
@each_client
def test_a_replay_yields_what_a_plain_server_yields(
    heard: Heard, client: Client, source: str, *, recorded: bool
):
    plain = _of(lambda: heard.plain(client), heard, recorded=recorded)
    replayed = _of(lambda: heard.replayed(source, client), heard, recorded=recorded)
    assert list(replayed) == list(plain)
    differences = {
        heard.bodies[model].name: difference
        for model in plain
        if (difference := _difference(plain[model], replayed[model], raw=not client.decodes))
    }
    assert differences == {}


@from_both
@each_client
def test_a_plain_server_gives_clients_what_was_recorded(heard: Heard, client: Client, *, recorded: bool):
    """Without which it would say nothing that two servers are alike."""
    plain = _of(lambda: heard.plain(client), heard, recorded=recorded)
    assert plain
    for model, told in plain.items():
        stream = heard.streams[model]
        if client.decodes:
            assert told.yielded or told.error
            assert len(json.dumps(told.yielded)) > len(stream.body) / 8 or told.error
        else:
            body = gzip.decompress(stream.body) if _is_zipped(stream.headers) else stream.body
            (status, reason, headers), content = told.yielded
            assert (status, reason, told.error) == (200, "OK", None)
            assert ["x-request-id", model] in headers
            assert b64decode(content) == body
    assert sum(told.error is None for told in plain.values()) > len(plain) * 0.8


def _of(hear: Any, heard: Heard, *, recorded: bool) -> dict[str, Told]:
    try:
        found = hear()
    except Absent as absent:
        pytest.skip(str(absent))
    return {model: told for model, told in found.items() if heard.bodies[model].recorded == recorded}


def _difference(plain: Told, replayed: Told, *, raw: bool) -> str:
    """Say where two first differ, in the last part of which both are long."""
    ours, theirs = _comparable(plain, raw=raw), _comparable(replayed, raw=raw)
    if ours == theirs:
        return ""
    for number, (one, other) in enumerate(zip(ours, theirs, strict=False)):
        if one != other:
            return f"item {number}: {str(one)[:300]} became {str(other)[:300]}"
    return f"{len(ours)} items became {len(theirs)}: {str(ours[-1])[:300]} became {str(theirs[-1])[:300]}"


def _comparable(told: Told, *, raw: bool) -> list[Any]:
    """Return items and error, without the header fields that are of a connection."""
    if raw and told.error is None:
        (status, reason, headers), body = told.yielded
        kept = [pair for pair in headers if pair[0].lower() not in _OF_THE_CONNECTION]
        return [status, reason, kept, body]
    return [*told.yielded, told.error]


def _is_zipped(headers: tuple[tuple[str, str], ...]) -> bool:
    return ("content-encoding", "gzip") in headers
