"""A live answer on its way through: the API's bytes in, the client's bytes out, read by read. No IO.

The parsing is httptools' (llhttp). Status, reason and header fields go on in their order and spelling, less
those that concern only one connection, by the same rule as recorded ones (`_http1`), so that an answer looks
the same live and replayed. Each piece of the body goes on in what is returned for the bytes it came in:
as it is under a content-length, else as a chunk of its own; to HTTP/1.0, which knows no chunks, as it is.
Interim answers (1xx) are left out: the client has had its 100, and many do not expect another.

Invariant: what was returned so far holds every byte of the body that was fed so far.
"""

import httptools

from tokentape.cassette import header
from tokentape.replay._http1 import (
    as_chunk,
    as_content_coding,
    content_length,
    fields_of,
    last_chunk,
    transfer_codings,
)

_MAX_HEAD_BYTES = 1 << 20


class LiveAnswer:
    """Reads one answer. `to_head`: the request was a HEAD; `http10` and `close` are about the client.

    `begun` is whether anything was to be written, `complete` whether that was the end. `broken` says why
    nothing more can be understood, if so. `status` is that of the answer, None before it is known.
    """

    def __init__(self, *, to_head: bool = False, http10: bool = False, close: bool = False) -> None:
        self._to_head = to_head
        self._http10 = http10
        self._close = close
        self._parser = httptools.HttpResponseParser(self)
        self._out: list[bytes] = []
        self._head_bytes = 0
        self._in_head = True
        self._ends_with_connection = False
        self._chunked = False
        self.begun = False
        self.complete = False
        self.broken: str | None = None
        self.status: int | None = None
        self.fields: list[tuple[bytes, bytes]] = []
        self._trailers: list[tuple[bytes, bytes]] = []
        self._reason = b""

    @property
    def closes(self) -> bool:
        """Whether the client's connection ends with this answer, as its head says."""
        return self._close or self._http10

    def feed(self, data: bytes) -> bytes:
        """Return what to write for some bytes of the answer; what follows its end is left out."""
        if self.complete or self.broken is not None:
            return b""
        if self._in_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.broken = "it wants to speak another protocol"
        except httptools.HttpParserError as error:
            if not self.complete:  # else what is wrong came behind the answer
                self.broken = str(error)
        if self._in_head and self._head_bytes > _MAX_HEAD_BYTES:
            self.broken = f"its head is longer than {_MAX_HEAD_BYTES} bytes"
        return self._taken()

    def end(self) -> bytes:
        """Return what to write when the API has closed the connection; `complete` says if it might do so."""
        if self._ends_with_connection and not self.complete:
            self._finish()
        return self._taken()

    def _taken(self) -> bytes:
        out = b"".join(self._out)
        self._out = []
        self.begun = self.begun or bool(out)
        return out

    def _finish(self) -> None:
        if self._chunked:
            self._out.append(last_chunk(tuple(self._trailers)))
        self.complete = True

    # What follows is called by the parser.

    def on_message_begin(self) -> None:
        """Begin an answer, perhaps behind an interim one."""
        if not self.complete:
            self._in_head = True
            self._reason = b""
            self.fields = []

    def on_status(self, reason: bytes) -> None:
        """Take a part of the reason phrase."""
        if not self.complete:
            self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header field, or a trailer."""
        if not self.complete:
            (self.fields if self._in_head else self._trailers).append((name, value))

    def on_headers_complete(self) -> None:
        """Write the head."""
        status: int = self._parser.get_status_code()
        if self.complete or 100 <= status < 200:
            return
        self._in_head = False
        self.status = status
        headers = tuple(self.fields)
        codings = transfer_codings(headers)
        length = None if codings else content_length(headers)
        coded = header(headers, b"transfer-encoding").lower().endswith("chunked")
        has_body = not self._to_head and status not in (204, 304)
        self._ends_with_connection = has_body and length is None and not coded
        self._chunked = has_body and (coded or length is None) and not self._http10
        lines, _ = fields_of(
            headers,
            chunked=self._chunked,
            keep_length=status != 204 and not (has_body and coded) and length is not None,
        )
        start = b"HTTP/1.1 %d %b" % (status, self._reason)
        closing = as_content_coding(codings) if has_body and self._http10 else []
        closing += [b"connection: close"] if self.closes else []
        self._out.append(b"\r\n".join([start, *lines, *closing, b"", b""]))
        if not has_body:
            self.complete = True

    def on_body(self, data: bytes) -> None:
        """Write a piece of the body."""
        if not self.complete and data:
            self._out.append(as_chunk(data) if self._chunked else data)

    def on_message_complete(self) -> None:
        """End the answer, unless that was an interim one."""
        if not self.complete and not self._in_head:
            self._finish()
