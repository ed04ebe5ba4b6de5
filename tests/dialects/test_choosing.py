"""The dialect is that of the path or, if none claims that, of the first eight events that say anything."""

import json

import pytest

from tokentape.cassette import ServerSentEvent
from tokentape.dialects._choosing import PLAIN_SSE, choose, choose_early

CHUNK = ServerSentEvent(json.dumps({"object": "chat.completion.chunk", "choices": []}).encode(), 0)
NOISE = ServerSentEvent(b'{"ping":1}', 0)


@pytest.mark.parametrize("noise", range(10))
@pytest.mark.parametrize("other", [NOISE, ServerSentEvent(b"no json", 0), ServerSentEvent(b"[1]", 0)])
def test_eight_events_are_looked_at(noise, other):
    events = [other] * noise + [CHUNK]
    expected = "openai-chat" if noise < 8 else "sse"
    assert choose("/other", events).name == expected
    assert choose_early("/other", events, last=True).name == expected
    early = [choose_early("/other", events[: at + 1], last=False) for at in range(len(events))]
    assert all(each is None for each in early[: min(noise, 7)])
    assert early[-1].name == expected


def test_the_path_is_believed_before_any_event():
    assert choose("/v1/messages", [CHUNK]).name == "anthropic-messages"
    assert choose_early("/v1/messages", [], last=False).name == "anthropic-messages"
    assert choose("/other") is PLAIN_SSE
