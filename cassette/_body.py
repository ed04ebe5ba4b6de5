"""From the pieces of an answer to its events: content-encodings undone, then server-sent events."""

from collections.abc import Iterable, Iterator
from itertools import chain

from tokentape.cassette._coding import ContentDecoder, TooMuchContent, UndecodableContent, decode_content
from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._framing import MAX_RECORD_BYTES
from tokentape.cassette._records import Headers, Request
from tokentape.cassette._sse import ServerSentEvent, SSEDecoder


def header(headers: Headers, name: bytes) -> str:
    """Return the values of a header, joined with commas as HTTP allows; "" if it is not there.

    `name` is in lower case.
    """
    return ",".join([value.decode("latin-1") for key, value in headers if key.lower() == name])


def request_body(request: Request, *, max_bytes: int = MAX_RECORD_BYTES) -> bytes:
    """Return the body of a request with its content-encoding undone.

    Raises `UndecodableContent` if it is not what that says, or more than `max_bytes` come of it.
    """
    return decode_content(request.body, header(request.headers, b"content-encoding"), max_bytes=max_bytes)


def decoded(exchange: Exchange) -> tuple[list[bytes], str | None]:
    """Return what each piece of an answer gives once its content-encoding is undone.

    The second value says why, if not all of it can be: from there on the pieces are empty. More than
    `MAX_RECORD_BYTES` do not come of an answer that is encoded.
    """
    pieces = [chunk.data for chunk in exchange.chunks]
    encoding = header(exchange.response.headers, b"content-encoding") if exchange.response else ""
    if not encoding:
        return pieces, None
    found: list[bytes] = []
    try:
        decode = ContentDecoder(encoding).feed
        for piece in pieces:
            found.append(decode(piece))  # noqa: PERF401  (what was decoded before an error is kept)
    except UndecodableContent as error:
        if len(found) < len(pieces) and not isinstance(error, TooMuchContent):
            found.append(_until_damage(encoding, pieces[: len(found)], pieces[len(found)]))
        return found + [b""] * (len(pieces) - len(found)), str(error)
    return found, None


def _until_damage(encoding: str, before: list[bytes], damaged: bytes) -> bytes:
    """Return what a piece gives up to the byte with which decoding fails.

    A decoder gives nothing of the piece in which it fails: how much is known would depend on how the body
    came in pieces. So it is asked again, in small steps, and in the last of these byte by byte.
    """
    whole = 0
    for step in (_STEP, 1):
        found: list[bytes] = []
        try:
            decode = ContentDecoder(encoding).feed
            for piece in before:
                decode(piece)
            found.append(decode(damaged[:whole]))
            for at in range(whole, len(damaged), step):
                found.append(decode(damaged[at : at + step]))
                whole += step
        except UndecodableContent:
            continue
    return b"".join(found)


_STEP = 4096


def events(pieces: Iterable[bytes], decoder: SSEDecoder | None = None) -> Iterator[ServerSentEvent]:
    """Yield the events of decoded pieces, then what the stream ended in the middle of, if anything.

    `ServerSentEvent.piece` is the index of the piece that completed the event.
    """
    decoder = decoder or SSEDecoder()
    return chain.from_iterable(chain(map(decoder.feed, pieces), _rest_of(decoder)))


def _rest_of(decoder: SSEDecoder) -> Iterator[list[ServerSentEvent]]:
    if last := decoder.end():
        yield [last]
