"""What was recorded, as the bytes that go out of it, with the times at which they were recorded.

Status, reason and header fields come back in their order and spelling, less those that concern only
one connection (RFC 9110, 7.6.1). Each recorded piece is one HTTP chunk; if the recording had
a content-length, the pieces go unframed as they came. Bodies stay encoded, and so does the head say: in their
content-encoding, and in a transfer-encoding beside the chunks.

Where an exchange was imported without the times of its pieces (`Request.times`), they follow the head at
once, and where it has no times at all, so does the head the request.

An answer that ended badly ends the same way: its connection is closed at the recorded time, before the
body is complete, so that the client sees the same truncated message. It is closed, not reset: a reset
would let the client's system throw away recorded bytes that the client had not read yet.

Invariant: without their framing, the parts after the head are the recorded pieces, one for one (but
for empty ones, which would end a chunked body), with the recorded body's bytes.
"""

from dataclasses import dataclass

from tokentape.cassette import ContentDecoder, Exchange, Request, SSEDecoder, UndecodableContent
from tokentape.replay._errors import Unservable
from tokentape.replay._http1 import as_chunk, clean, content_length, fields_of, last_chunk, transfer_codings
from tokentape.replay._openai_error import error_response
from tokentape.replay.timing._first_token import first_token
from tokentape.replay.timing._pacer import Part
from tokentape.replay.timing._schedule import in_order, schedule, since
from tokentape.replay.timing._timing import Timing


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What goes out of a recorded answer, with the times at which it was recorded, in ns of the section.

    The first part is the head; parts from the second on to `last_piece` are pieces of the body; what
    follows is its end. `first_token` is the position of the piece that holds the first token or, where
    there is none, of the first piece; of the head, where there is no body.
    """

    timed: tuple[Part, ...]
    zero_ns: int
    first_token: int
    last_piece: int
    closes: bool
    framing: bytes
    name: str

    def recorded(self) -> tuple[Part, ...]:
        """Return the parts with their offsets from the complete request, as recorded."""
        return tuple(in_order(since(self.zero_ns, self.timed)))

    def took_ns(self) -> int:
        """Return the last of the offsets that `recorded` returns."""
        return max(0, max(t for t, _ in self.timed) - self.zero_ns)

    def under(self, timing: Timing) -> tuple[Part, ...]:
        """Return the parts with the offsets at which they are due."""
        return tuple(
            schedule(
                self.timed,
                zero_ns=self.zero_ns,
                timing=timing,
                first_token=self.first_token,
                last_piece=self.last_piece,
                name=self.name,
            )
        )


def script(exchange: Exchange, *, find_token: bool = True) -> Script:
    """Return what goes out of the answer of an exchange, with the recorded times.

    Without `find_token` the first piece is taken for the one that holds the first token: to look for it
    costs as much as all else.

    An exchange that failed before there was a response is a recording too: after an upstream's error
    the answer is the proxy's 502, at the time of the failure; otherwise the connection is closed then.

    Raises `Unservable` if the recording does not say what was answered, or pieces of it were lost.
    """
    request, response, end = exchange.request, exchange.response, exchange.end
    if request is None:
        raise Unservable("its request was lost")
    if response is None:
        return _failure(exchange)
    if response.status < 200:
        raise Unservable(f"it switched protocols (status {response.status})")
    if exchange.lost_chunks > 0:
        lost = exchange.lost_chunks
        raise Unservable(f"{lost} of its pieces {'was' if lost == 1 else 'were'} lost")

    has_body = request.method != "HEAD" and response.status not in (204, 304)
    pieces = [chunk for chunk in exchange.chunks if chunk.data] if has_body else []
    size = sum(len(piece.data) for piece in pieces)
    length = content_length(response.headers)
    if has_body and length is not None and (size > length or transfer_codings(response.headers)):
        length = None  # what was recorded is the truth; a length that is too short would cut it
    chunked = has_body and length is None
    complete = _came_to_its_end(exchange) and (length is None or size == length)
    closes = has_body and not complete

    keep_length = response.status != 204 and (not has_body or length is not None)
    fields, framing = fields_of(response.headers, chunked=chunked, keep_length=keep_length)
    start = b"HTTP/1.1 %d %s" % (response.status, clean(response.reason))
    head = b"\r\n".join([start, *fields, b"", b""])

    timed = [(response.t, head)]
    if chunked:
        timed += [(piece.t, as_chunk(piece.data)) for piece in pieces]
    else:
        timed += [(piece.t, piece.data) for piece in pieces]
    end_t = end.t if end else timed[-1][0]
    if closes:
        timed.append((end_t, b""))
    elif chunked:
        timed.append((end_t, last_chunk(end.trailers if end else None)))
    return Script(
        timed=tuple(_as_far_as_known(timed, request)),
        zero_ns=request.t_end,
        first_token=_first_token(exchange, len(pieces)) if find_token else min(1, len(pieces)),
        last_piece=len(pieces),
        closes=closes,
        framing=framing,
        name=_name(exchange),
    )


def exchange_name(path: str, exchange: Exchange) -> str:
    """Return what people call an exchange of a cassette."""
    section = f" of section {exchange.section_index}" if exchange.section_index else ""
    return f"{path}, exchange {exchange.number}{section}"


def _first_token(exchange: Exchange, pieces: int) -> int:
    """Return the position of what holds the first token among the head and `pieces` that are not empty."""
    chunk = first_token(exchange)
    before = sum(bool(each.data) for each in exchange.chunks[:chunk])
    return min((0 if chunk is None else before) + 1, pieces)


def _name(exchange: Exchange) -> str:
    """Return what tells an exchange from those of all cassettes, whatever file it lies in."""
    began = "" if exchange.section is None else f"{exchange.section.wall_ns}/"
    return f"{began}{exchange.section_index}/{exchange.number}"


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


def _failure(exchange: Exchange) -> Script:
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
    return Script(
        timed=tuple(timed),
        zero_ns=request.t_end,
        first_token=0,
        last_piece=0,
        closes=not body,
        framing=b"",
        name=_name(exchange),
    )
