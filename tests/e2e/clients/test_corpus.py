"""Unmodified clients stream every body from a replay and yield what they yield from a plain server."""

import gzip
import json
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import Any

import pytest

from tests.corpus import ABSENT, IS_HERE
from tests.e2e.clients.asking import BYTEWISE, CLIENTS, Client, Told
from tests.e2e.clients.heard import SOURCES, Heard, difference
from tests.e2e.environments import Absent
from tests.streams import Stream
from tokentape.cassette import SSEDecoder

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
        heard.bodies[model].name: found
        for model in plain
        if (found := difference(client.comparable(plain[model]), client.comparable(replayed[model])))
    }
    assert differences == {}


@pytest.mark.parametrize("source", SOURCES)
def test_every_recorded_exchange_was_played_once(heard: Heard, source: str):
    stats = heard.stats(source)
    assert stats["misses"] == 0
    assert {each["times"] for each in stats["served"]} == {1}


def test_every_answer_was_split_if_it_was_to_be(heard: Heard):
    stats = heard.stats("split")
    bytewise, little, large = (each["times"] for each in stats["faults"])
    assert little + large == stats["hits"] == len(stats["served"])
    assert bytewise == len(heard.asked[BYTEWISE])


@from_both
@each_client
def test_a_plain_server_gives_clients_what_was_recorded(heard: Heard, client: Client, *, recorded: bool):
    """Without which it would say nothing that two servers are alike."""
    plain = _of(lambda: heard.plain(client), heard, recorded=recorded)
    assert plain
    for model, told in plain.items():
        if client.decodes:
            _check_decoded(client, told, list(_events(heard.streams[model])))
        else:
            (status, reason, headers), content = told.yielded
            assert (status, reason, told.error) == (200, "OK", None)
            assert ["x-request-id", model] in headers
            assert b64decode(content) == _unzipped(heard.streams[model])


def _check_decoded(client: Client, told: Told, events: list[dict[str, Any]]) -> None:
    good = list(takewhile(lambda event: not event.get("error"), events))
    fails = len(good) < len(events)
    match client.program:
        case "anthropic":  # it keeps pings to itself
            assert told.yielded == [event for event in events if event["type"] != "ping"]
        case "langchain":  # a last chunk says that it is the last; that there was none is an error
            assert len(told.yielded) == len(good) + (bool(good) and not fails)
            assert (told.error is not None) == (fails or not good)
        case _:
            assert told.yielded == good
            assert (told.error is not None) == fails


def _of(hear: Callable[[], Mapping[str, Told]], heard: Heard, *, recorded: bool) -> dict[str, Told]:
    try:
        found = hear()
    except Absent as absent:
        pytest.skip(str(absent))
    return {model: told for model, told in found.items() if heard.bodies[model].recorded == recorded}


def _events(stream: Stream) -> Iterator[dict[str, Any]]:
    """Yield what is in the events, as this project's decoder has them."""
    for event in SSEDecoder().feed(_unzipped(stream)):
        if event.data != b"[DONE]":
            yield json.loads(event.data)


def _unzipped(stream: Stream) -> bytes:
    return gzip.decompress(stream.body) if ("content-encoding", "gzip") in stream.headers else stream.body
