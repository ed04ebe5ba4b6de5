"""Cassettes of exchanges with exact times, and a client that sees every byte."""

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.cassette.tapes import SECTION, write
from tokentape import cassette

MS = 1_000_000
SSE_HEADERS = ((b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked"))


def exchange(
    number: int = 0,
    *,
    body: bytes = b'{"model":"m","stream":true}',
    method: str = "POST",
    path: bytes = b"/v1/chat/completions",
    start_ms: float = 0,
    status: int | None = 200,
    reason: bytes = b"OK",
    headers: cassette.Headers = SSE_HEADERS,
    head_ms: float = 1,
    pieces: Sequence[tuple[float, bytes]] = ((2, b"data: 1\n\n"), (3, b"data: [DONE]\n\n")),
    end_ms: float | None = 4,
    end_reason: cassette.EndReason = "complete",
    detail: str = "",
    trailers: cassette.Headers | None = None,
    chunks: int | None = None,
) -> list[cassette.Record]:
    """One exchange's records; times in ms since its request was complete, None for what is not there."""
    zero = int(start_ms * MS) + 500

    def at(ms: float) -> int:
        return zero + int(ms * MS)

    records: list[cassette.Record] = [
        cassette.Request(
            exchange=number,
            t=zero - 500,
            t_end=zero,
            method=method,
            scheme="https",
            host="api.example",
            port=443,
            path=path,
            http_version="HTTP/1.1",
            headers=((b"Host", b"api.example"),),
            body=body,
            connection="c",
        )
    ]
    if status is not None:
        records.append(
            cassette.Response(
                exchange=number,
                t=at(head_ms),
                status=status,
                reason=reason,
                http_version="HTTP/1.1",
                headers=headers,
            )
        )
        records += [cassette.Chunk(exchange=number, t=at(ms), data=data) for ms, data in pieces]
    if end_ms is not None:
        count = chunks if chunks is not None else len(pieces) if status is not None else 0
        records.append(
            cassette.End(
                exchange=number,
                t=at(end_ms),
                reason=end_reason,
                detail=detail,
                trailers=trailers,
                chunks=count,
            )
        )
    return records


def as_exchange(records: Sequence[cassette.Record]) -> cassette.Exchange:
    """The records of one exchange, put together."""
    (found,) = cassette.exchanges([SECTION, *records])
    return found


def tape(path: Path, *exchanges: Sequence[cassette.Record]) -> Path:
    """Write exchanges to a cassette that was closed."""
    close = cassette.Close(t=10**12, exchanges=len(exchanges), chunks=0, bytes=0)
    return write(path, SECTION, *(record for records in exchanges for record in records), close)


def post(
    body: bytes = b'{"model":"m","stream":true}',
    *,
    path: str = "/v1/chat/completions",
    method: str = "POST",
    version: str = "1.1",
    headers: str = "",
) -> bytes:
    """A request's bytes."""
    start = f"{method} {path} HTTP/{version}\r\nHost: localhost\r\n"
    return f"{start}{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    """A socket to a server."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def read_until(client: socket.socket, ending: bytes) -> bytes:
    """Read until the bytes so far end with `ending`; fails if the connection ends before."""
    data = b""
    while not data.endswith(ending):
        more = client.recv(65536)
        assert more, f"the connection ended after {data!r}"
        data += more
    return data


def read_all(client: socket.socket) -> bytes:
    """Read until the connection ends."""
    data = b""
    while more := client.recv(65536):
        data += more
    return data


def read_exactly(client: socket.socket, size: int) -> bytes:
    """Read so many bytes."""
    data = b""
    while len(data) < size:
        more = client.recv(size - len(data))
        assert more, f"the connection ended after {data!r}"
        data += more
    return data
