r"""Recorded answers as HTTP/1.1 bytes, prepared once so that nothing is left to do when a piece is due.

Status, reason and header fields come back in their order and spelling, less those that concern only
one connection (RFC 9110, 7.6.1). Each recorded piece is one HTTP chunk; if the recording had
a content-length, the pieces go unframed as they came. Bodies stay content-encoded.

Where an exchange was imported without the times of its pieces (`Request.times`), they follow the head at
once, and where it has no times at all, so does the head the request.

An answer that ended badly ends the same way: its connection is closed at the recorded time, before the
body is complete, so that the client sees the same truncated message. It is closed, not reset: a reset
would let the client's system throw away recorded bytes that the client had not read yet.

Invariant: without their framing, the parts after the head are the recorded pieces, one for one (but
for empty ones, which would end a chunked body), with the recorded body's bytes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tokentape.cassette import ContentDecoder, Exchange, Headers, Request, SSEDecoder, UndecodableContent
from tokentape.replay._errors import Unservable
from tokentape.replay._openai_error import error_response
from tokentape.replay._pacer import Part
from tokentape.replay._schedule import Speed, schedule

_HOP_BY_HOP = {b"connection", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade"}
_CHUNKED = b"transfer-encoding: chunked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it goes out: `parts` to an HTTP/1.1 client on a connection that stays open.

    The first part is the head. If `closes`, the connection is closed after the last part. `framing` is
    the header field that announces a chunked body, b"" if the body is not chunked.
    """

    parts: tuple[Part, ...]
    closes: bool
    framing: bytes

    def closing(self) -> tuple[Part, ...]:
        """Return the parts for a connection that is closed after them, with a header that says so."""
        return (_with_last_field(self.parts[0], b"connection: close"), *self.parts[1:])

    def for_http10(self) -> tuple[Part, ...]:
        """Return the parts for HTTP/1.0, which knows no chunks: its body ends with the connection."""
        if not self.framing:
            return self.closing()
        offset_ns, head = self.parts[0]
        head = head.replace(b"\r\n" + self.framing + b"\r\n", b"\r\n", 1)
        body = ((offset, _unframed(data)) for offset, data in self.parts[1:])
        return (_with_last_field((offset_ns, head), b"connection: close"), *body)


def prepare(exchange: Exchange, *, speed: Speed) -> Answer:
    """Return the answer of an exchange, its parts due as recorded, scaled by `speed`.

    An exchange that failed before there was a response is a recording too: after an upstream's error
    the answer is the proxy's 502, at the time of the failure; otherwise the connection is closed then.

    Raises `Unservable` if the recording does not say what was answered, or pieces of it were lost.
    """
    request, response, end = exchange.request, exchange.response, exchange.end
    if request is None:
        raise Unservable("its request was lost")
    if response is None:
        return _failure(exchange, speed=speed)
    if response.status < 200:
        raise Unservable(f"it switched protocols (status {response.status})")
    if exchange.lost_chunks > 0:
        lost = exchange.lost_chunks
        raise Unservable(f"{lost} of its pieces {'was' if lost == 1 else 'were'} lost")

    has_body = request.method != "HEAD" and response.status not in (204, 304)
    pieces = [chunk for chunk in exchange.chunks if chunk.data] if has_body else []
    size = sum(len(piece.data) for piece in pieces)
    length = _content_length(response.headers)
    if has_body and length is not None and size > length:
        length = None  # what was recorded is the truth; a length that is too short would cut it
    chunked = has_body and length is None
    complete = _came_to_its_end(exchange) and (length is None or size == length)
    closes = has_body and not complete

    keep_length = response.status != 204 and (not has_body or length is not None)
    fields, framing = _fields(response.headers, chunked=chunked, keep_length=keep_length)
    start = b"HTTP/1.1 %d %s" % (response.status, _clean(response.reason))
    head = b"\r\n".join([start, *fields, b"", b""])

    timed = [(response.t, head)]
    timed += [(piece.t, _chunk(piece.data) if chunked else piece.data) for piece in pieces]
    end_t = end.t if end else timed[-1][0]
    if closes:
        timed.append((end_t, b""))
    elif chunked:
        timed.append((end_t, _last_chunk(end.trailers if end else None)))
    timed = _as_far_as_known(timed, request)
    parts = schedule(timed, zero_ns=request.t_end, speed=speed)
    return Answer(
        parts=_in_two_writes(parts) if speed == "instant" else tuple(parts), closes=closes, framing=framing
    )


def _as_far_as_known(timed: list[tuple[int, bytes]], request: Request) -> list[tuple[int, bytes]]:
    """Return what is due without the times that are not known: it follows what comes before it at once."""
    match request.times:
        case "all":
            return timed
        case "headers":
            return [(timed[0][0], data) for _, data in timed]
        case "none":
            return [(request.t_end, data) for _, data in timed]


def _came_to_its_end(exchange: Exchange) -> bool:
    """Whether all that a client waits for is in the recording.

    Clients hang up at `[DONE]`, some before the last chunk of the framing has come to them: such an
    exchange ended as `client-closed`, and yet another client is to see the end of the answer.
    """
    end, response = exchange.end, exchange.response
    if end is None or response is None or end.reason != "client-closed":
        return end is not None and end.reason == "complete"
    encodings = [value for name, value in response.headers if name.lower() == b"content-encoding"]
    try:
        body = ContentDecoder(b",".join(encodings).decode("latin-1")).feed(exchange.body)
    except UndecodableContent:
        return False
    events = SSEDecoder().feed(body)
    return bool(events) and events[-1].data == b"[DONE]"


def _failure(exchange: Exchange, *, speed: Speed) -> Answer:
    request, end = exchange.request, exchange.end
    if request is None or end is None:
        raise Unservable("it has neither a response nor an end")
    body = b""
    if end.reason == "upstream-error":
        body = error_response(
            502,
            f"the recorded request failed before there was a response: {end.detail or end.reason}",
            kind="upstream_error",
            code="recorded_failure",
            with_body=request.method != "HEAD",
        )
    timed = _as_far_as_known([(end.t, body)], request)
    parts = tuple(schedule(timed, zero_ns=request.t_end, speed=speed))
    return Answer(parts=parts, closes=not body, framing=b"")


def _in_two_writes(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Join what follows the head: the chunks stay, and a long answer costs two writes."""
    head, *rest = parts
    return (head, (head[0], b"".join(data for _, data in rest))) if rest else (head,)


def _fields(headers: Headers, *, chunked: bool, keep_length: bool) -> tuple[list[bytes], bytes]:
    """Return the lines of the header fields, and which of them announces chunks.

    It stands where the recording had its transfer-encoding, spelled as there; else last.
    """
    dropped = _HOP_BY_HOP | _named_in_connection(headers)
    lines: list[bytes] = []
    framing = b""
    for name, value in headers:
        lower = name.lower()
        if lower == b"transfer-encoding" and chunked and not framing:
            framing = _clean(name) + b": chunked"
            lines.append(framing)
        elif lower == b"content-length" and not keep_length:
            continue
        elif lower not in dropped and not lower.startswith(b"proxy-"):
            lines.append(_clean(name) + b": " + _clean(value))
    if chunked and not framing:
        framing = _CHUNKED
        lines.append(framing)
    return lines, framing


def _named_in_connection(headers: Headers) -> set[bytes]:
    values = [value for name, value in headers if name.lower() == b"connection"]
    return {option.strip().lower() for value in values for option in value.split(b",")}


def _content_length(headers: Headers) -> int | None:
    """Return the one length that the fields agree on (RFC 9112, 6.3), None if there is no such."""
    found = {
        part.strip()
        for name, value in headers
        if name.lower() == b"content-length"
        for part in value.split(b",")
    }
    value = found.pop() if len(found) == 1 else b""
    return int(value) if value.isdigit() and len(value) < 20 else None


def _clean(text: bytes) -> bytes:
    """Replace what would end a line (RFC 9110, 5.5); no honest recorder writes it."""
    return text.replace(b"\r", b" ").replace(b"\n", b" ").replace(b"\0", b" ")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _last_chunk(trailers: Headers | None) -> bytes:
    lines = [_clean(name) + b": " + _clean(value) + b"\r\n" for name, value in trailers or ()]
    return b"0\r\n" + b"".join(lines) + b"\r\n"


def _unframed(chunks: bytes) -> bytes:
    """Return what is in a row of chunks of our own making, with or without the last."""
    return b"".join(contents(chunks))


def contents(chunks: bytes) -> Iterator[bytes]:
    """Yield what is in each of a row of chunks of our own making; trailers are left out."""
    position = 0
    while position < len(chunks):
        data = chunks.index(b"\r\n", position) + 2
        size = int(chunks[position : data - 2], 16)
        if size == 0:  # what follows are trailers
            return
        yield chunks[data : data + size]
        position = data + size + 2


def _with_last_field(head: Part, field: bytes) -> Part:
    """Add a field to a head. What is no head (an answer that never began) stays as it is."""
    offset_ns, data = head
    fields, blank, body = data.partition(b"\r\n\r\n")
    return (offset_ns, b"\r\n".join([fields, field]) + blank + body) if blank else head
