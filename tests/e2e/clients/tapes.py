"""Cassettes of what clients asked a plain server, with its answers in the pieces of their streams."""

from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path

from msgspec.structs import replace

from tests.e2e.clients.plain_server import Asked, first_half
from tests.replay.recordings import exchange, tape
from tests.streams import Stream
from tokentape import cassette


def tape_of(
    path: Path, asked: Iterable[Asked], streams: Mapping[str, Stream], *, gap_ms: float = 0.05
) -> Path:
    """Write a cassette in which every request is as it came, and the answers are framed in three ways."""
    return tape(path, *(_records(n, each, streams[each.answered], gap_ms) for n, each in enumerate(asked)))


def _records(number: int, asked: Asked, stream: Stream, gap_ms: float) -> list[cassette.Record]:
    framing = (
        (("transfer-encoding", "chunked"),),
        (("content-length", str(len(stream.body))),),
        (),  # as HTTP/2 has it, and HTTP/1.0
    )[number % 3]
    headers = (*stream.headers, ("x-request-id", asked.answered), *framing)
    request, *others = exchange(
        number,
        body=asked.body,
        method=asked.method,
        path=asked.target.encode(),
        headers=_as_bytes(headers),
        start_ms=100 * number,
        pieces=[(at, piece) for at, piece in zip(count(1, gap_ms), stream.pieces, strict=False)],
        end_ms=1 + gap_ms * len(stream.pieces),
    )
    assert isinstance(request, cassette.Request)
    return [replace(request, headers=_as_bytes(asked.headers)), *others]


def _as_bytes(headers: Iterable[tuple[str, str]]) -> cassette.Headers:
    return tuple((name.encode(), value.encode()) for name, value in headers)


def cut_tape_of(path: Path, asked: Iterable[Asked], streams: Mapping[str, Stream]) -> Path:
    """Write a cassette of answers that the other side broke off after the first half of their pieces."""
    exchanges = []
    for number, each in enumerate(asked):
        stream = streams[each.answered]
        pieces = [(1 + at, piece) for at, piece in enumerate(first_half(stream))]
        headers = (*stream.headers, ("x-request-id", each.answered), ("transfer-encoding", "chunked"))
        exchanges.append(
            exchange(
                number,
                body=each.body,
                path=each.target.encode(),
                headers=_as_bytes(headers),
                pieces=pieces,
                end_ms=2 + len(pieces),
                end_reason="upstream-error",
            )
        )
    return tape(path, *exchanges)
