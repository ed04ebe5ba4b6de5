"""Cassettes of chats that the client of `project` asks for."""

import json
from pathlib import Path

from tests.replay.recordings import exchange, tape


def request(content="hi"):
    body = {"model": "m", "stream": True, "messages": [{"role": "user", "content": content}]}
    return json.dumps(body).encode()


def event(text):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def chat(path: Path, *contents: str, ttft_ms: float = 40) -> Path:
    """A cassette with an answer to each content: its letters in reverse."""
    path.parent.mkdir(parents=True, exist_ok=True)
    found = [
        exchange(
            number,
            body=request(content),
            start_ms=1_000 * number,
            head_ms=10,
            pieces=[(ttft_ms + 10 * number, event(content[::-1])), (200, b"data: [DONE]\n\n")],
            end_ms=201,
        )
        for number, content in enumerate(contents)
    ]
    return tape(path, *found)
