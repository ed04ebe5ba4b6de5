"""One answer in the forms that servers take: a cassette, an aimock fixture, and what a client looks for.

Piece n is due `FIRST_NS + n * gap_ns` after the complete request, and carries its number. By the first piece
all streams of a load have begun.
"""

import json
import re
from pathlib import Path

from tokentape import cassette

FIRST_NS = 100_000_000
NUMBER = re.compile(rb"#(\d{6})")
NUMBER_BYTES = 7
PATH = b"/v1/chat/completions"
BODY = json.dumps(
    {
        "model": "gpt-4o-mini",
        "messages": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Tell me about streams, in many small pieces."},
        ],
        "stream": True,
        "temperature": 0.7,
    }
).encode()
LAST = b"\r\n0\r\n\r\n"
_FIELDS = b"Host: localhost\r\nAccept: */*\r\nContent-Type: application/json\r\n"


def request(spelling: int = 0) -> bytes:
    """Return the request for the answer as it is sent: of one size, in as many spellings as are asked for."""
    spaces = f"{spelling:016b}".translate({ord("0"): " ", ord("1"): "\t"}).encode()
    body = BODY + spaces  # which JSON may have at its end
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (PATH, _FIELDS, len(body), body)


def piece(number: int) -> bytes:
    """Return an event of a chat completion, such as aimock makes of a block of text."""
    chunk = {
        "id": "chatcmpl-0123456789abcdef",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "gpt-4o-mini",
        "choices": [
            {"index": 0, "delta": {"content": _text(number)}, "logprobs": None, "finish_reason": None}
        ],
    }
    return b"data: %b\n\n" % json.dumps(chunk, separators=(",", ":")).encode()


def tape(path: Path, pieces: int, gap_ns: int = 0, *, first_ns: int = FIRST_NS) -> Path:
    """Write a cassette with the answer."""
    section = cassette.Section(version=1, wall_ns=0, mono_ns=0, writer="benchmark", proxy="", host="")
    with cassette.Writer(path, section) as writer:
        writer.write(
            cassette.Request(
                exchange=0,
                t=0,
                t_end=0,
                method="POST",
                scheme="http",
                host="localhost",
                port=80,
                path=PATH,
                http_version="HTTP/1.1",
                headers=((b"content-type", b"application/json"),),
                body=BODY,
                connection="",
            )
        )
        headers = ((b"content-type", b"text/event-stream"),)
        writer.write(
            cassette.Response(
                exchange=0, t=0, status=200, reason=b"OK", http_version="HTTP/1.1", headers=headers
            )
        )
        for number in range(pieces):
            writer.write(cassette.Chunk(exchange=0, t=first_ns + number * gap_ns, data=piece(number)))
        end = first_ns + (pieces - 1) * gap_ns
        writer.write(cassette.End(exchange=0, t=end, reason="complete", chunks=pieces))
    return path


def fixture(path: Path, pieces: int, gap_ns: int | None = None) -> Path:
    """Write an aimock fixture with one block for each piece, and with its times if there are any."""
    blocks = [{"type": "text", "text": _text(number)} for number in range(pieces)]
    entry: dict[str, object] = {"match": {"userMessage": "streams"}, "response": {"blocks": blocks}}
    if gap_ns is not None:
        # aimock waits for the TTFT before the chunk with the role, and then before each block and the end.
        gap_ms = gap_ns / 1e6
        entry["recordedTimings"] = {
            "ttftMs": FIRST_NS / 1e6,
            "interChunkDelaysMs": [0, *[gap_ms] * (pieces - 1), 0],
            "totalDurationMs": FIRST_NS / 1e6 + gap_ms * (pieces - 1),
        }
    path.write_text(json.dumps({"fixtures": [entry]}))
    return path


def _text(number: int) -> str:
    return f"#{number:06} token"
