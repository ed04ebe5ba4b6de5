"""Requests out of a connection's bytes: no IO, only a parser and what a server must check beside it.

The parsing is httptools' (llhttp). Here are the limits, which hold before the memory is taken, and what
RFC 9112 has a server refuse. Invariant: `feed` returns requests in the order in which they came, each
once; after a `Refusal` nothing more comes, since what follows it cannot be told apart.

A request that comes whole in one read, as most do, is known again by its bytes where another may begin, and
is not parsed again: the parser would be where it is now.
"""

from typing import TypeAlias

import httptools
import msgspec

from tokentape.cassette import Headers
from tokentape.replay.matching._seen import Seen
from tokentape.replay.serving._limits import Limits

_FRAMED = 6  # bytes on the wire for one of a body, where each is a chunk of its own
_OBJECT_BYTES = 200  # what a request or a field takes beside what was sent
_HANDSHAKE = 0x16  # the type of the record that TLS begins with (RFC 8446, 5.1)
_NOT_HTTP = "expected plain HTTP on this port, found TLS: its URL begins with http://"


def begins_tls(data: bytes) -> bool:
    """Whether the first bytes of a client are TLS; those of HTTP are letters."""
    return data[0] == _HANDSHAKE


class IncomingRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A complete request. `keep_alive` is whether the client wants to keep the connection.

    `scheme` and `authority` (`host:port`) are what its connection is for, as far as that is known.
    """

    method: str
    target: bytes
    http_version: str
    body: bytes
    keep_alive: bool
    headers: Headers = ()
    scheme: str = "http"
    authority: str = ""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What cannot be answered as a request, with the status and the words to say so.

    `remark` is for whoever runs the server, where the client cannot read the answer.
    """

    status: int
    message: str
    remark: str = ""


Incoming: TypeAlias = IncomingRequest | Refusal
SeenRequests: TypeAlias = Seen[bytes, IncomingRequest]


class RequestReader:
    """Reads the requests of one connection. Readers with the same limits may share what they have `seen`."""

    def __init__(
        self, limits: Limits | None = None, *, seen: SeenRequests | None = None, tunnels: bool = False
    ) -> None:
        """With `tunnels` a CONNECT is a request, the last one, and `rest` is what follows it."""
        limits = limits or Limits()
        self._max_head_bytes = limits.max_head_bytes
        self._max_body_bytes = limits.max_body_bytes
        self._tunnels = tunnels
        self.rest = b""
        self._parser = httptools.HttpRequestParser(self)
        self._found: list[Incoming] = []
        self._refusal: Refusal | None = None
        self._seen = seen
        self._fed_in_head = 0
        self._expects_continue = False
        self._ended = False  # nothing more is taken
        self._clear()

    def feed(self, data: bytes) -> list[Incoming]:
        """Return the requests that these bytes complete, and a refusal where they go wrong."""
        if self._seen is None or self._begun or self._ended:
            return self._feed(data)
        if known := self._seen.get(data):
            return [known]
        found = self._feed(data)
        if not (self._begun or self._ended) and len(found) == 1 and isinstance(found[0], IncomingRequest):
            self._seen.keep(data, found[0], 2 * len(data) + _OBJECT_BYTES * (len(found[0].headers) + 1))
        return found

    def _feed(self, data: bytes) -> list[Incoming]:
        while data and self._refusal is None:
            if self._in_head:
                self._fed_in_head += len(data)
            else:
                self._fed_in_body += len(data)
            data = self._parse(data)
        # A field that does not end is never handed out by the parser, be it of the head or a trailer.
        framing = self._fed_in_body - self._body_bytes * _FRAMED
        if self._fed_in_head > self._max_head_bytes or framing > self._max_head_bytes:
            self._refuse_head()
        found, self._found = self._found, []
        return found

    @property
    def begun(self) -> bool:
        """Whether a part of a request has come, and the rest has not."""
        return self._begun

    def take_expectation(self) -> bool:
        """Return, once, whether the client waits for a 100 (Continue) before it sends its body."""
        if self._in_head or not self._expects_continue:
            return False
        self._expects_continue = False
        return True

    def _parse(self, data: bytes) -> bytes:
        """Parse, and return what is left to parse: the body of a request that wants another protocol."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # A server may ignore the wish (RFC 9110, 7.8), but the parser has stopped after the headers:
            # another is given the same request without the wish.
            offset: int = upgrade.args[0]
            if self._parser.get_method() == b"CONNECT":
                self._found.append(self._request(keep_alive=True))
                self.rest = data[offset:]
                return b""
            head = self._head_without_upgrade()
            self._parser = httptools.HttpRequestParser(self)
            return head + data[offset:]
        except httptools.HttpParserError as error:
            if self._in_head and self._fed_in_head == len(data) and begins_tls(data):
                self._refuse(400, _NOT_HTTP, remark=_NOT_HTTP)
            self._refuse(400, f"expected an HTTP/1.1 request, found one that cannot be parsed: {error}")
        return b""

    def _head_without_upgrade(self) -> bytes:
        version = self._parser.get_http_version().encode()
        start = b"%b %b HTTP/%b" % (self._parser.get_method(), self._target, version)
        fields = [name + b": " + value for name, value in self._fields if name.lower() != b"upgrade"]
        return b"\r\n".join([start, *fields, b"", b""])

    def _clear(self) -> None:
        self._begun = False
        self._in_head = True
        self._target = b""
        self._fields: list[tuple[bytes, bytes]] = []
        self._head_bytes = 0
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._fed_in_body = 0
        self._expects_continue = False

    def _refuse(self, status: int, message: str, *, remark: str = "") -> None:
        if self._refusal is None:
            self._ended = True
            self._refusal = Refusal(status=status, message=message, remark=remark)
            self._found.append(self._refusal)

    def _refuse_head(self) -> None:
        self._refuse(
            431, f"the request's line and headers are longer than the {self._max_head_bytes} bytes allowed"
        )

    # What follows is called by the parser. An exception in it stops the parsing.

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._clear()
        self._begun = True

    def on_url(self, url: bytes) -> None:
        """Take a part of the request's target."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer after the body."""
        if self._in_head:
            self._fields.append((name, value))
        else:
            self._count_head(len(name) + len(value) + 4)

    def on_headers_complete(self) -> None:
        """Check what the headers must hold."""
        self._in_head = False
        self._fed_in_head = 0
        size = len(self._target)
        hosts = 0
        for name, value in self._fields:
            size += len(name) + len(value) + 4
            lower = name.lower()
            if lower == b"host":
                hosts += 1
            elif lower == b"content-length" and value.isdigit():
                self._check_body(int(value[:20]))
            elif lower == b"expect":
                self._expects_continue = value.strip().lower() == b"100-continue"
        self._count_head(size)
        self._version = version = self._parser.get_http_version()
        if version not in ("1.0", "1.1"):
            self._stop(505, f"expected HTTP/1.1, found HTTP/{version}")
        if hosts != 1 and (version == "1.1" or hosts):
            self._stop(400, f"expected one Host header, found {hosts}")  # RFC 9112, 3.2
        if self._parser.get_method() == b"CONNECT" and not self._tunnels:
            self._stop(501, "this is a server, not a proxy: make it the client's base URL, or start a proxy")
        if version == "1.0":
            self._expects_continue = False  # RFC 9110, 10.1.1

    def on_body(self, data: bytes) -> None:
        """Take a piece of the body."""
        self._check_body(self._body_bytes + len(data))
        self._body_bytes += len(data)
        self._body.append(data)

    def on_message_complete(self) -> None:
        """Hand out the request, unless the parser stopped in it for another protocol."""
        if self._parser.should_upgrade():
            return
        keep_alive = self._parser.should_keep_alive()
        self._found.append(self._request(keep_alive=keep_alive))
        self._ended = not keep_alive
        self._clear()

    def _request(self, *, keep_alive: bool) -> IncomingRequest:
        return IncomingRequest(
            method=self._parser.get_method().decode("ascii"),
            target=self._target,
            http_version=self._version,
            body=b"".join(self._body),
            keep_alive=keep_alive,
            headers=tuple(self._fields),
        )

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > self._max_head_bytes:
            self._refuse_head()
            raise _Stop

    def _check_body(self, size: int) -> None:
        if size > self._max_body_bytes:
            self._stop(413, f"the request's body is longer than the {self._max_body_bytes} bytes allowed")

    def _stop(self, status: int, message: str) -> None:
        self._refuse(status, message)
        raise _Stop


class _Stop(Exception):
    """Ends the parsing from inside a callback; the parser wraps it."""
