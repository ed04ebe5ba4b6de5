"""Cassettes with exact times, for tests: what came when, in nanoseconds after the request was complete."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tokentape import cassette
from tokentape.analysis import Recording, load

MS = 1_000_000
ZERO = 7_000_000_123
"""When the request is complete on the section's clock: not 0, and no round number."""
SECTION = cassette.Section(
    version=1, wall_ns=1_790_000_000_000_000_000, mono_ns=5, writer="t", proxy="p", host="h"
)
DONE = b"data: [DONE]\n\n"


def data(payload: Any) -> bytes:
    return b"data: " + json.dumps(payload, ensure_ascii=False).encode() + b"\n\n"


def chunk(
    delta: dict[str, Any] | None = None, finish: Any = None, *, index: int = 0, **more: Any
) -> dict[str, Any]:
    """A chat-completion chunk with one choice."""
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "model": "m-1",
        "choices": [{"index": index, "delta": delta or {}, "finish_reason": finish}],
        **more,
    }


def usage_chunk(prompt: int, output: int) -> dict[str, Any]:
    return {"model": "m-1", "choices": [], "usage": usage(prompt, output)}


def usage(prompt: int, output: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": output, "total_tokens": prompt + output}


def records(
    pieces: Iterable[tuple[int, bytes]],
    *,
    exchange: int = 0,
    end: str | None = "complete",
    end_ns: int | None = None,
    status: int | None = 200,
    content_type: str = "text/event-stream",
    encoding: str = "",
    path: bytes = b"/v1/chat/completions?key=secret",
    body: bytes = b'{"model":"asked-for","stream":true}',
    headers_ns: int | None = None,
    method: str = "POST",
) -> list[cassette.Record]:
    """The records of one exchange; `end` is None for a recorder that was killed.

    Headers come after 30 ms, or with the first piece if that is earlier.
    """
    pieces = list(pieces)
    if headers_ns is None:
        headers_ns = min([30 * MS, *(ns for ns, _ in pieces)])
    made: list[Any] = [
        cassette.Request(
            exchange=exchange, t=ZERO - 55, t_end=ZERO, method=method, scheme="https", host="api.example",
            port=443, path=path, http_version="HTTP/1.1", headers=(), body=body, connection="c1",
        )
    ]  # fmt: skip
    if status is not None:
        headers = [(b"Content-Type", content_type.encode())] if content_type else []
        headers += [(b"Content-Encoding", encoding.encode())] if encoding else []
        made.append(
            cassette.Response(
                exchange=exchange, t=ZERO + headers_ns, status=status, reason=b"", http_version="HTTP/1.1",
                headers=tuple(headers),
            )
        )  # fmt: skip
    made += [cassette.Chunk(exchange=exchange, t=ZERO + ns, data=piece) for ns, piece in pieces]
    if end is not None:
        last = pieces[-1][0] if pieces else headers_ns
        made.append(
            cassette.End(
                exchange=exchange, t=ZERO + (last if end_ns is None else end_ns), reason=end,
                chunks=len(pieces), bytes=sum(len(piece) for _, piece in pieces),
            )
        )  # fmt: skip
    return made


def write(path: Path, *exchanges: Sequence[Any]) -> Path:
    with cassette.Writer(path, SECTION) as tape:
        for each in exchanges:
            for record in each:
                tape.write(record)
    return path


def recording(folder: Path, pieces: Iterable[tuple[int, bytes]], **options: Any) -> Recording:
    """What `load` makes of a cassette with one exchange of these pieces."""
    return load(write(folder / "one.tape", records(pieces, **options)))


def stream(folder: Path, pieces: Iterable[tuple[int, bytes]], **options: Any) -> dict[str, Any]:
    """The one stream of that cassette, as a row by column."""
    (row,) = recording(folder, pieces, **options).as_dict()["streams"]
    return dict(row)
