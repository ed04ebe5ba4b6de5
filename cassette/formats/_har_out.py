"""From an exchange to an entry of an HTTP archive, after HAR 1.2.

The phases of an entry add up to its time, from the request's headers to the end of the exchange. What of
opening a connection fell into it counts as `connect`, and is taken out of the phase in which it lay.
"""

from base64 import b64encode
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from tokentape.cassette._body import decoded, header, request_body
from tokentape.cassette._coding import UndecodableContent
from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._records import Headers, Request, Response
from tokentape.cassette._wall_clock import utc
from tokentape.cassette.formats._plain import header_text, url_of
from tokentape.cassette.formats._text import text_of

_NS_PER_MS = 1_000_000
_NOT_KNOWN = -1


def entry_for(exchange: Exchange) -> dict[str, Any]:
    """Return the entry of an exchange, which has its request and its section."""
    request, section = exchange.request, exchange.section
    assert request is not None  # noqa: S101
    assert section is not None  # noqa: S101
    timings = _timings(exchange)
    parts = [timings[name] for name in ("connect", "send", "wait", "receive")]
    found: dict[str, Any] = {
        "startedDateTime": _iso(section.wall_ns + (request.t if request.times != "none" else 0)),
        "time": sum(part for part in parts if part > 0),
        "request": _request(request),
        "response": _no_response(exchange)
        if exchange.response is None
        else _response(exchange, exchange.response),
        "cache": {},
        "timings": timings,
    }
    if request.connection:
        found["connection"] = request.connection
    return found


def _request(request: Request) -> dict[str, Any]:
    path = request.path.decode("utf-8", "replace")
    found: dict[str, Any] = {
        "method": request.method,
        "url": url_of(request.scheme, request.host, request.port, request.path),
        "httpVersion": request.http_version,
        "cookies": _cookies(request.headers),
        "headers": _headers(request.headers),
        "queryString": _pairs(parse_qsl(path.partition("?")[2], keep_blank_values=True)),
        "headersSize": _NOT_KNOWN,
        "bodySize": len(request.body),
    }
    if request.body:
        content_type = header(request.headers, b"content-type")
        body = request.body
        with suppress(UndecodableContent):
            body = request_body(request)
        # There is no place for bytes here: a body that is no text is beside the entry only.
        text = text_of(body, content_type)
        found["postData"] = {"mimeType": content_type, "text": "" if text is None else text}
    return found


def _response(exchange: Exchange, response: Response) -> dict[str, Any]:
    pieces, why = decoded(exchange)
    raw = exchange.body
    body = raw if why is not None else b"".join(pieces)
    content_type = header(response.headers, b"content-type")
    content: dict[str, Any] = {"size": len(body), "mimeType": content_type}
    if len(body) != len(raw):
        content["compression"] = len(body) - len(raw)
    text = text_of(body, content_type)
    if text is None:
        content |= {"text": b64encode(body).decode("ascii"), "encoding": "base64"}
    else:
        content["text"] = text
    return {
        "status": response.status,
        "statusText": header_text(response.reason),
        "httpVersion": response.http_version,
        "cookies": _set_cookies(response.headers),
        "headers": _headers(response.headers),
        "content": content,
        "redirectURL": header(response.headers, b"location"),
        "headersSize": _NOT_KNOWN,
        "bodySize": len(raw),
    }


def _no_response(exchange: Exchange) -> dict[str, Any]:
    """Return what browsers write where there was none."""
    end = exchange.end
    return {
        "status": 0,
        "statusText": "",
        "httpVersion": "",
        "cookies": [],
        "headers": [],
        "content": {"size": 0, "mimeType": "x-unknown"},
        "redirectURL": "",
        "headersSize": _NOT_KNOWN,
        "bodySize": _NOT_KNOWN,
        "_error": (end.detail or end.reason) if end else "the recording ended first",
    }


def _timings(exchange: Exchange) -> dict[str, float]:
    request, response = exchange.request, exchange.response
    assert request is not None  # noqa: S101
    if request.times == "none":
        return {"blocked": -1, "dns": -1, "connect": -1, "ssl": -1, "send": 0, "wait": 0, "receive": 0}
    last = max((chunk.t for chunk in exchange.chunks), default=request.t)
    start = request.t
    sent = max(start, request.t_end)
    answered = max(sent, response.t if response else exchange.end.t if exchange.end else last)
    ended = max(answered, exchange.end.t if exchange.end else last)
    connect = response.connect if response else None
    spans: list[tuple[int, int]] = []
    if connect is not None and connect.tcp_start is not None:
        opened = connect.tls_end or connect.tcp_end or connect.tcp_start
        spans = [(connect.tcp_start, opened), (connect.tcp_end or opened, connect.tls_end or opened)]
    while_sent, while_waiting = (
        _overlap(spans[0], start, sent) if spans else 0,
        _overlap(spans[0], sent, answered) if spans else 0,
    )
    opening = while_sent + while_waiting
    tls = _overlap(spans[1], start, answered) if spans else 0
    return {
        "blocked": -1,
        "dns": -1,
        "connect": opening / _NS_PER_MS if opening else -1,
        "ssl": tls / _NS_PER_MS if tls else -1,
        "send": (sent - start - while_sent) / _NS_PER_MS,
        "wait": (answered - sent - while_waiting) / _NS_PER_MS,
        "receive": (ended - answered) / _NS_PER_MS,
    }


def _overlap(span: tuple[int, int], start: int, end: int) -> int:
    return max(0, min(span[1], end) - max(span[0], start))


def _iso(unix_ns: int) -> str:
    """Return a time of day in UTC, to the microsecond, which is what all readers of such times take."""
    return f"{utc(unix_ns):%Y-%m-%dT%H:%M:%S.%fZ}"


def _headers(headers: Headers) -> list[dict[str, str]]:
    return _pairs([(header_text(name), header_text(value)) for name, value in headers])


def _pairs(pairs: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _cookies(headers: Headers) -> list[dict[str, str]]:
    sent = [header_text(value) for name, value in headers if name.lower() == b"cookie"]
    return _pairs([_cookie(each) for value in sent for each in value.split(";") if each.strip()])


def _set_cookies(headers: Headers) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for value in [header_text(value) for name, value in headers if name.lower() == b"set-cookie"]:
        first, *attributes = value.split(";")
        name, content = _cookie(first)
        named = {key.lower(): text for key, text in map(_cookie, attributes)}
        found.append(
            {
                "name": name,
                "value": content,
                **{key: named[key] for key in ("path", "domain") if key in named},
                "httpOnly": "httponly" in named,
                "secure": "secure" in named,
            }
        )
    return found


def _cookie(text: str) -> tuple[str, str]:
    name, _, value = text.strip().partition("=")
    return name, value
