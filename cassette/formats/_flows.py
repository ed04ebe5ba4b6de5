"""mitmproxy's flow files, through mitmproxy's own reader and writer, so that they are what mitmproxy says.

A flow has the times at which request and response began and ended. When each piece came stands in its
metadata under `tokentape`, as JSON (`_beside`), by which an exchange that tokentape exported is restored;
mitmproxy keeps metadata when it saves flows again. Strangers' bodies are one piece without a time, and
`Request.times` says so.
"""

import json
from codecs import BOM_UTF8 as _BOM
from collections.abc import Iterable, Iterator
from io import BufferedReader
from typing import Any, BinaryIO

from mitmproxy import connection, exceptions, flow, http
from mitmproxy.io import FlowReader, FlowWriter
from msgspec.structs import replace

from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import Chunk, Connect, End, EndReason, Headers, Request, Response
from tokentape.cassette.formats._assembly import Assembly, Redact
from tokentape.cassette.formats._beside import beside, restored, section_of
from tokentape.cassette.formats._errors import NotTheFormat
from tokentape.cassette.formats._sections import exchanges_of

BESIDE = "tokentape"
_NS_PER_S = 1_000_000_000
_LONGEST_S = 2**32  # times of day beyond the year 2106 are no times


def write(file: BinaryIO, entries: Iterable[Entry], lost: list[str]) -> None:
    """Write a flow for each exchange that has a request; `lost` gets a line for what has no place in one."""
    writer = FlowWriter(file)
    for exchange, end in exchanges_of(entries, lost, into="a flow"):
        assert exchange.section is not None  # noqa: S101
        wall_ns = exchange.section.wall_ns
        made = flow_of(exchange, wall_ns)
        made.metadata[BESIDE] = json.dumps(beside(exchange, _exchange_of(made, wall_ns), end))
        writer.add(made)


def read(file: BinaryIO, name: str, lost: list[str], redact: Redact | None = None) -> Iterator[Entry]:
    """Yield the records of the HTTP flows of a file; `lost` gets a line for what is none, or damaged.

    Raises `NotTheFormat` if it has no flow at all.
    """
    assembly = Assembly(imported_from="mitmproxy", program="mitmproxy", redact=redact)
    skipped: dict[str, int] = {}
    servers: set[str] = set()
    seen: set[str] = set()
    for number, found in enumerate(_flows(file, name, lost)):
        if found.id in seen:  # mitmproxy saves a flow of its file twice that has a response and an error
            continue
        seen.add(found.id)
        where = f"{name}: flow {number}"
        if not isinstance(found, http.HTTPFlow) or found.websocket is not None:
            kind = "WebSocket" if isinstance(found, http.HTTPFlow) else found.type
            skipped[kind] = skipped.get(kind, 0) + 1
            continue
        try:
            _add(assembly, found, servers, where, lost)
        except (ValueError, TypeError, OverflowError) as error:
            lost.append(f"{where}: {error}")
    lost += [
        f"{name}: {count} of the flows are {kind}, which a cassette has no place for"
        for kind, count in sorted(skipped.items())
    ]
    yield from assembly.entries()


def flow_of(exchange: Exchange, wall_ns: int) -> http.HTTPFlow:
    """Return the flow of an exchange, which has a request; its section began at `wall_ns`."""
    request, response, end = exchange.request, exchange.response, exchange.end
    assert request is not None  # noqa: S101

    def at(t: int) -> float:
        return (wall_ns + (t if request.times != "none" else 0)) / _NS_PER_S

    client = connection.Client(peername=("", 0), sockname=("", 0), timestamp_start=at(request.t))
    if request.connection:
        client.id = request.connection
    server = connection.Server(address=(request.host, request.port))
    made = http.HTTPFlow(client, server)
    made.timestamp_created = at(request.t)
    made.request = http.Request(
        host=request.host,
        port=request.port,
        method=request.method.encode(),
        scheme=request.scheme.encode(),
        authority=b"",
        path=request.path,
        http_version=request.http_version.encode(),
        headers=http.Headers(request.headers),
        content=request.body,
        trailers=None,
        timestamp_start=at(request.t),
        timestamp_end=at(request.t_end),
    )
    if response is not None:
        if response.connect is not None:
            for name, t in (
                ("timestamp_start", response.connect.tcp_start),
                ("timestamp_tcp_setup", response.connect.tcp_end),
                ("timestamp_tls_setup", response.connect.tls_end),
            ):
                setattr(server, name, None if t is None else at(t))
        made.response = http.Response(
            http_version=response.http_version.encode(),
            status_code=response.status,
            reason=response.reason,
            headers=http.Headers(response.headers),
            content=exchange.body,
            trailers=http.Headers(end.trailers) if end is not None and end.trailers is not None else None,
            timestamp_start=at(response.t),
            timestamp_end=at(end.t) if end is not None else None,
        )
    if end is not None and end.reason != "complete":
        made.error = flow.Error(end.detail or end.reason, at(end.t))
    return made


def _flows(file: BinaryIO, name: str, lost: list[str]) -> Iterator[flow.Flow]:
    """Yield flows up to the end or the first damage."""
    number = 0
    if isinstance(file, BufferedReader) and file.peek(1)[:1] in (b"{", _BOM[:1]):
        # mitmproxy's reader would take it, without the times of pieces that stand in it.
        raise NotTheFormat(f"{name}: expected mitmproxy's flows, found JSON; if it is an archive: --from har")
    try:
        for found in FlowReader(file).stream():
            yield found
            number += 1
    except GeneratorExit:
        raise
    except Exception as error:  # noqa: BLE001  (damage makes mitmproxy's reader raise all sorts of things)
        reason = str(error) if isinstance(error, exceptions.FlowReadException) else repr(error)
        if not number:
            raise NotTheFormat(f"{name}: expected mitmproxy's flows: {reason}") from None
        lost.append(
            f"{name}: what comes after flow {number - 1}: the file is cut off or damaged there: {reason}"
        )


def _add(assembly: Assembly, found: http.HTTPFlow, servers: set[str], where: str, lost: list[str]) -> None:
    stored = found.metadata.get(BESIDE)
    if isinstance(stored, str):
        try:
            known = json.loads(stored)
            _, section = section_of(known)
            assembly.add_ours(*restored(_exchange_of(found, section.wall_ns), known))
        except (ValueError, RecursionError) as error:
            lost.append(f"{where}: what stands in its metadata, so the times of its pieces: {error}")
        else:
            return
    started_ns = _unix_ns(found.request.timestamp_start)
    exchange = _exchange_of(found, started_ns)
    response = exchange.response
    if response is not None and response.connect is not None:
        if found.server_conn.id in servers:  # opened for another exchange
            exchange.response = replace(response, connect=None)
        servers.add(found.server_conn.id)
    if found.response is not None and found.response.raw_content is None:
        lost.append(f"{where}: the body of its response, which mitmproxy streamed and did not keep")
    if found.request.raw_content is None:
        lost.append(f"{where}: the body of its request, which mitmproxy streamed and did not keep")
    assembly.add_other(exchange, started_ns)


def _exchange_of(found: http.HTTPFlow, wall_ns: int) -> Exchange:
    """Return what a flow says by itself, its times since `wall_ns`; its body is one piece without a time."""

    def at(unix_s: float | None) -> int:
        return 0 if unix_s is None else _unix_ns(unix_s) - wall_ns

    data, response = found.request.data, found.response
    sent = data.timestamp_end if data.timestamp_end is not None else data.timestamp_start
    request = Request(
        exchange=0,
        t=at(data.timestamp_start),
        t_end=at(sent),
        method=_text(data.method),
        scheme=_text(data.scheme),
        host=data.host,
        port=data.port,
        path=data.path,
        http_version=_text(data.http_version),
        headers=_fields(data.headers),
        body=data.content or b"",
        connection=found.client_conn.id,
        times="headers",
    )
    exchange = Exchange(section_index=0, section=None, number=0, request=request)
    ended = found.error.timestamp if found.error else None
    if response is not None:
        ended = ended if ended is not None else response.timestamp_end
        body = response.raw_content or b""
        exchange.response = Response(
            exchange=0,
            t=at(response.timestamp_start),
            status=response.status_code,
            reason=response.data.reason,
            http_version=response.http_version,
            headers=_fields(response.data.headers),
            connect=_connect(found.server_conn, at),
        )
        exchange.chunks = [Chunk(exchange=0, t=0, data=body)] if body else []
    if ended is not None:
        reason, detail = _ending(found)
        trailers = response.data.trailers if response is not None else None
        exchange.end = End(
            exchange=0,
            t=at(ended),
            reason=reason,
            detail=detail,
            trailers=None if trailers is None else _fields(trailers),
            chunks=len(exchange.chunks),
            bytes=len(exchange.body),
        )
    return exchange


def _connect(server: connection.Server, at: Any) -> Connect | None:
    if server.timestamp_start is None:
        return None
    times = (server.timestamp_start, server.timestamp_tcp_setup, server.timestamp_tls_setup)
    start, tcp, tls = [None if unix_s is None else at(unix_s) for unix_s in times]
    return Connect(tcp_start=start, tcp_end=tcp, tls_end=tls)


def _ending(found: http.HTTPFlow) -> tuple[EndReason, str]:
    """Return how a flow ended; which side it was mitmproxy tells by its message only."""
    if found.error is None:
        return "complete", ""
    message = found.error.msg
    if message == flow.Error.KILLED_MESSAGE:
        return "recorder-stopped", message
    if "by client" in message or message == "Client disconnected.":
        return "client-closed", message
    return "upstream-error", message


def _fields(headers: http.Headers) -> Headers:
    return tuple((bytes(name), bytes(value)) for name, value in headers.fields)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _unix_ns(unix_s: float) -> int:
    if not 0 <= unix_s < _LONGEST_S:
        raise ValueError(f"expected a time of day, found {unix_s!r}")
    return round(unix_s * _NS_PER_S)
