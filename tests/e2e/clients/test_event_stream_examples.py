"""The examples of the HTML standard (section "Server-sent events") are decoded right through a replay.

The judges are event sources for Node, and the decoders that SDKs have. What they find is typed here: type,
data and last event ID of each event. Some examples are of the section's rules, which it puts in words only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.clients.asking import CLIENTS, Client
from tests.e2e.clients.bodies import EVENT_STREAM
from tests.e2e.clients.conftest import Programs
from tests.e2e.clients.plain_server import plain_server
from tests.e2e.clients.tapes import tape_of
from tests.streams import Stream, cut
from tokentape.replay import Speed, serve

SOURCES: dict[str, tuple[Speed, tuple[str, ...]]] = {
    "as recorded": (1, ()),
    "instant": ("instant", ()),
    "split": ("instant", ("split=1",)),
}
EVENT_SOURCES = (Client("node", "eventsource"), Client("node", "undici-eventsource"))
JUDGES = (*EVENT_SOURCES, *(each for each in CLIENTS if each.decodes and each.program != "langchain"))

# What some clients do otherwise, and not because of the replay: from a plain server it is the same.
NOT_AS_THE_STANDARD_SAYS = {
    ("node eventsource", "cr"),  # a CR at the very end may be half of a CRLF, and is not taken for a line's
    ("node undici-eventsource", "blocks"),  # an empty ID does not take the last one back
    ("node undici-eventsource", "unfinished"),
    *(  # the mark is taken for a part of the first field's name
        (f"{program} {way}", "byte-order-mark")
        for program in ("openai-2", "openai-3", "anthropic")
        for way in ("sync", "async")
    ),
}


@dataclass(frozen=True, slots=True)
class Example:
    """A stream, and for each of its events: type, data, last event ID."""

    name: str
    body: bytes
    events: tuple[tuple[str, str, str], ...]


EXAMPLES = (
    Example(
        "messages",
        b"data: This is the first message.\n\n"
        b"data: This is the second message, it\ndata: has two lines.\n\n"
        b"data: This is the third message.\n\n",
        (
            ("message", "This is the first message.", ""),
            ("message", "This is the second message, it\nhas two lines.", ""),
            ("message", "This is the third message.", ""),
        ),
    ),
    Example(
        "types",
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        (("add", "73857293", ""), ("remove", "2153", ""), ("add", "113411", "")),
    ),
    Example("lines", b"data: YHOO\ndata: +2\ndata: 10\n\n", (("message", "YHOO\n+2\n10", ""),)),
    Example(
        "blocks",
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        (("message", "first event", "1"), ("message", "second event", ""), ("message", " third event", "")),
    ),
    Example(
        "unfinished",
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event",
        (("message", "first event", "1"), ("message", "second event", "")),
    ),
    Example("empty", b"data\n\ndata\ndata\n\ndata:", (("message", "", ""), ("message", "\n", ""))),
    Example("spaces", b"data:test\n\ndata: test\n\n", (("message", "test", ""), ("message", "test", ""))),
    Example(
        "utf-8",
        "data: 你好🙂\n\ndata: line\u2028separators\x85are\x0cnone\n\n".encode(),
        (("message", "你好🙂", ""), ("message", "line\u2028separators\x85are\x0cnone", "")),
    ),
    Example(
        "crlf", b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", (("message", "a\nb", ""), ("message", "c", ""))
    ),
    Example("cr", b"data: a\rdata: b\r\rdata: c\r\r", (("message", "a\nb", ""), ("message", "c", ""))),
    Example(
        "mixed", b"data: a\r\ndata: b\r\n\ndata: c\n\r\n", (("message", "a\nb", ""), ("message", "c", ""))
    ),
    Example("byte-order-mark", b"\xef\xbb\xbfdata: a\n\n", (("message", "a", ""),)),
    Example("unknown", b"datum: 1\nDATA: 2\n data: 3\ndata : 4\ndata: 5\n\n", (("message", "5", ""),)),
)
STREAMS = {
    example.name: Stream(name=example.name, pieces=cut(example.body, 1, typical=9), headers=(EVENT_STREAM,))
    for example in EXAMPLES
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("client", JUDGES, ids=str)
def test_a_client_is_told_through_a_replay_what_the_standard_says(
    programs: Programs, client: Client, source: str, tmp_path: Path
):
    program = programs.or_skip(client)
    with plain_server(STREAMS) as server:
        plain = program.ask(client.way, [_job(client, server.url, example) for example in EXAMPLES])
    path = tape_of(tmp_path / "examples.tape", server.asked, STREAMS)
    speed, faults = SOURCES[source]
    with serve(path, speed=speed, faults=faults) as replay:
        replayed = program.ask(client.way, [_job(client, replay.url, example) for example in EXAMPLES])
    assert replay.stats.misses == 0
    assert replayed == plain
    for example, told in zip(EXAMPLES, replayed, strict=True):
        if (str(client), example.name) not in NOT_AS_THE_STANDARD_SAYS:
            found = [
                (kind or "message", data, *(each or "" for each in identity))
                for kind, data, *identity in told.yielded
            ]
            expected = [event[: 2 if str(client) == "node openai" else 3] for event in example.events]
            assert (example.name, found, told.error) == (example.name, expected, None)


def _job(client: Client, url: str, example: Example) -> dict[str, Any]:
    types = sorted({kind for kind, _, _ in example.events if kind != "message"})
    if client in EVENT_SOURCES:
        return {"url": url, "path": f"/events/{example.name}", "types": types}
    return {"url": url, "api": "events", "model": example.name}
