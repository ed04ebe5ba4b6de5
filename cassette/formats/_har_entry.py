"""An entry of an HTTP archive as others write it, and what it says by itself: an exchange without pieces.

The fields are those of HAR 1.2 (http://www.softwareishard.com/blog/har-12-spec/), as far as they say
anything of an exchange; what programs leave out has a default. Times are in milliseconds there, and phases
follow each other: blocked, dns, connect (with ssl in it), send, wait, receive.
"""

import math
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import msgspec

from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._records import Chunk, Connect, End, Request, Response, Times
from tokentape.cassette.formats._plain import headers_of, target_of
from tokentape.cassette.formats._text import bytes_of

_NS_PER_MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MAX_MS = 2**60 // _NS_PER_MS // 8  # so that sums of all phases are still times of a cassette
_VERSIONS = {
    "http/2.0": "HTTP/2.0",
    "http/2": "HTTP/2.0",
    "h2": "HTTP/2.0",
    "http/3": "HTTP/3",
    "http/3.0": "HTTP/3",
    "h3": "HTTP/3",
}


class _Pair(msgspec.Struct):
    name: str
    value: str = ""


class _PostData(msgspec.Struct):
    mime_type: str | None = msgspec.field(name="mimeType", default=None)
    text: str | None = None
    params: list[_Pair] | None = None
    encoding: str | None = None


class _Request(msgspec.Struct):
    method: str
    url: str
    http_version: str | None = msgspec.field(name="httpVersion", default=None)
    headers: list[_Pair | tuple[str, str]] = []
    post_data: _PostData | None = msgspec.field(name="postData", default=None)


class _Content(msgspec.Struct):
    text: str | None = None
    encoding: str | None = None
    mime_type: str | None = msgspec.field(name="mimeType", default=None)
    size: float | None = None
    file: Any = msgspec.field(name="_file", default=None)
    """Where Playwright has put a body that is not in the archive."""


class _Response(msgspec.Struct):
    status: int = 0
    status_text: str | None = msgspec.field(name="statusText", default=None)
    http_version: str | None = msgspec.field(name="httpVersion", default=None)
    headers: list[_Pair | tuple[str, str]] = []
    content: _Content = msgspec.field(default_factory=_Content)
    error: Any = msgspec.field(name="_error", default=None)


class _Timings(msgspec.Struct):
    blocked: float | None = None
    dns: float | None = None
    connect: float | None = None
    ssl: float | None = None
    send: float | None = None
    wait: float | None = None
    receive: float | None = None


class Entry(msgspec.Struct):
    """One request with its response."""

    request: _Request
    response: _Response = msgspec.field(default_factory=_Response)
    started: str | None = msgspec.field(name="startedDateTime", default=None)
    timings: _Timings = msgspec.field(default_factory=_Timings)
    time: float | None = None
    connection: str | None = None
    resource_type: str | None = msgspec.field(name="_resourceType", default=None)
    web_socket_messages: Any = msgspec.field(name="_webSocketMessages", default=None)
    tokentape: Any = msgspec.field(name="_tokentape", default=None)

    @property
    def is_websocket(self) -> bool:
        """Whether it is a connection of messages and no exchange."""
        return self.resource_type == "websocket" or self.web_socket_messages is not None

    @property
    def body_was_left_out(self) -> bool:
        """Whether the answer had a body and the archive does not: it was saved without contents."""
        content = self.response.content
        return content.text is None and (content.file is not None or bool(content.size and content.size > 0))


def entry_of(found: Any) -> Entry:
    """Return the entry of a JSON value. Raises ValueError, with the field, if it is none."""
    try:
        return msgspec.convert(found, Entry, strict=False)
    except msgspec.ValidationError as error:
        raise ValueError(str(error).replace("`", "").replace("$.", "")) from None


def wall_ns(entry: Entry) -> int | None:
    """Return when a request started, Unix time in ns; None if the entry does not say."""
    if entry.started is None:
        return None
    try:
        started = datetime.fromisoformat(entry.started)
    except ValueError:
        return None
    since = (started if started.tzinfo else started.replace(tzinfo=UTC)) - _EPOCH
    ns = ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
    return ns if 0 <= ns < 2**60 * 4 else None


def exchange_of(entry: Entry, *, t: int | None, any_url: bool = False) -> Exchange:
    """Return what an entry says by itself. Its times begin at `t`; None if it is not known when it began.

    The body, if there is one, is one piece without a time. Raises ValueError if the entry is no exchange;
    with `any_url` a URL that is none has an empty host.
    """
    try:
        scheme, host, port, path = target_of(entry.request.url)
    except ValueError:
        if not any_url:
            raise
        scheme, host, port, path = "", "", 0, b""
    timings = entry.timings
    known: Times = "headers" if t is not None and timings.wait is not None else "none"
    start = t if t is not None and known == "headers" else 0
    before = sum(map(_ns, (timings.blocked, timings.dns, timings.connect)))
    complete = start + before + _ns(timings.send)
    answered = complete + _ns(timings.wait)
    ended = answered + _ns(timings.receive)
    if known == "none":
        complete = answered = ended = 0
    request = Request(
        exchange=0,
        t=start,
        t_end=complete,
        method=entry.request.method,
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        http_version=_version(entry.request.http_version),
        headers=headers_of(map(_pair, entry.request.headers)),
        body=_posted(entry.request.post_data),
        connection=entry.connection or "",
        times=known,
    )
    exchange = Exchange(section_index=0, section=None, number=0, request=request)
    if not 100 <= entry.response.status <= 999:  # programs write 0 where there was no answer
        detail = entry.response.error
        exchange.end = End(
            exchange=0,
            t=ended,
            reason="upstream-error",
            detail=detail if isinstance(detail, str) else "there was no response",
        )
        return exchange
    body = _content(entry.response.content)
    exchange.response = Response(
        exchange=0,
        t=answered,
        status=entry.response.status,
        reason=(entry.response.status_text or "").encode("utf-8", "replace"),
        http_version=_version(entry.response.http_version),
        headers=headers_of(map(_pair, entry.response.headers)),
        connect=_connect(timings, start) if known == "headers" else None,
    )
    exchange.chunks = [Chunk(exchange=0, t=0, data=body)] if body else []
    exchange.end = End(exchange=0, t=ended, reason="complete", chunks=len(exchange.chunks), bytes=len(body))
    return exchange


def _connect(timings: _Timings, start: int) -> Connect | None:
    """Return when the connection was opened; an archive says for how long each step took."""
    took = _ns(timings.connect)
    if not took:
        return None
    begun = start + _ns(timings.blocked) + _ns(timings.dns)
    tls = min(_ns(timings.ssl), took)
    return Connect(tcp_start=begun, tcp_end=begun + took - tls, tls_end=begun + took if tls else None)


def _ns(ms: float | None) -> int:
    """Return a phase in ns; -1 stands for a phase that did not apply."""
    if ms is None or not math.isfinite(ms) or not 0 < ms <= _MAX_MS:
        return 0
    return round(ms * _NS_PER_MS)


def _pair(header: _Pair | tuple[str, str]) -> tuple[str, str]:
    return (header.name, header.value) if isinstance(header, _Pair) else header


def _version(text: str | None) -> str:
    return _VERSIONS.get((text or "").lower(), text or "HTTP/1.1")


def _posted(data: _PostData | None) -> bytes:
    if data is None:
        return b""
    if data.text is None:
        return urlencode([(each.name, each.value) for each in data.params or ()]).encode("ascii")
    if data.encoding == "base64":
        return _decoded(data.text)
    return bytes_of(data.text, data.mime_type or "")


def _content(content: _Content) -> bytes:
    if content.text is None:
        return b""
    return (
        _decoded(content.text)
        if content.encoding == "base64"
        else bytes_of(content.text, content.mime_type or "")
    )


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text)
    except ValueError as error:
        raise ValueError(f"response.content.text: expected base64 ({error})") from None
