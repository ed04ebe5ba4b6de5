"""The formats of `tokentape cat` for programs: an event stream with times, and a JSON object an event."""

import re
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import msgspec

from tokentape import cassette
from tokentape.dialects import NO_CHOICE, name_of, path_of, since, transcript
from tokentape.dialects import readable as text_lines

_BOM = b"\xef\xbb\xbf"
_LINE_END = re.compile(rb"\r\n|\n|\r")


def text(exchange: cassette.Exchange) -> Iterator[str]:
    """Yield the lines of an exchange for people, and an empty one."""
    yield from text_lines(exchange)
    yield ""


def sse(exchange: cassette.Exchange, file: str) -> Iterator[bytes]:
    """Yield the decoded event stream as it came, each event behind a comment with its time.

    It is a valid event stream that has the same events. An event that the stream broke off in is not one
    (a browser discards it), and is a comment; so is what there is to say of an answer of another kind.
    """
    pieces, undecodable = cassette.decoded(exchange)
    body = b"".join(pieces)
    request, response = exchange.request, exchange.response
    name = f"{file}: exchange {exchange.number} of section {exchange.section_index}"
    if request is not None:
        name += f": {request.method} {request.host}{path_of(request)}"
    kind = cassette.header(response.headers, b"content-type") if response else "no response"
    is_stream = kind.startswith("text/event-stream") or next(cassette.events(pieces), None) is not None
    yield _comment(name)
    if undecodable is not None:
        yield _comment(f"not all of it can be decoded: {undecodable}")
    if not is_stream:
        yield _comment(f"no event stream: {kind or 'of no stated type'}, {len(body)} bytes") + b"\n"
        return
    yield from _blocks(exchange, pieces, body.removeprefix(_BOM), len(body.removeprefix(_BOM)) - len(body))
    end = exchange.end
    yield _comment(f"end: {end.reason} {end.detail}" if end else "end: interrupted") + b"\n"


def _blocks(exchange: cassette.Exchange, pieces: list[bytes], body: bytes, shift: int) -> Iterator[bytes]:
    """Yield what stands between blank lines, with its time; `shift` is 0 less what precedes `body`."""
    ends = [end + shift for end in accumulate(map(len, pieces))]
    start = line = 0
    for found in _LINE_END.finditer(body):
        if found.start() == line:
            # An LF that only follows a CR because the next piece begins with it changes nothing:
            # the CR ended the line, and so the event.
            last = found.start() if found[0] == b"\r\n" else found.end() - 1
            yield _time(exchange, bisect_left(ends, last + 1)) + body[start : found.end()]
            start = found.end()
        line = found.end()
    if rest := body[start:]:
        yield _comment("broken off in: " + rest.decode("utf-8", "replace"))


def _time(exchange: cassette.Exchange, piece: int) -> bytes:
    t = since(exchange, exchange.chunks[piece].t, pieces=True)
    return _comment("at an unknown time" if t is None else f"{t / 1e6:+.3f} ms")


def _comment(words: str) -> bytes:
    return b": " + _LINE_END.sub(rb"\\n", words.encode("utf-8", "backslashreplace")) + b"\n"


def jsonl(exchange: cassette.Exchange, file: str) -> Iterator[bytes]:
    """Yield a JSON object for each event (for each choice in it), and one for the end."""
    said = transcript(exchange)
    common = {"file": file, "section": exchange.section_index, "exchange": exchange.number}
    for line in said.lines:
        event = line.event
        for carried in line.carried:
            yield _object(
                common,
                choice=None if carried.choice == NO_CHOICE else carried.choice,
                t_ms=_ms(since(exchange, line.t, pieces=True)),
                kind=name_of(carried.carries),
                text=carried.text,
                finish=carried.finish,
                usage=carried.usage or carried.own_usage,
                error=carried.error,
                event=event.event,
                terminated=event.terminated,
                data=_data(event.data),
            )
    if not said.lines:
        yield from _other(exchange, common)
    end = exchange.end
    yield _object(
        common,
        choice=None,
        t_ms=_ms(since(exchange, end.t)) if end else None,
        kind="end",
        text=end.detail if end else "",
        reason=end.reason if end else "interrupted",
        status=exchange.response.status if exchange.response else None,
        error=said.undecodable,
    )


def _other(exchange: cassette.Exchange, common: dict[str, Any]) -> Iterator[bytes]:
    """Yield a body that is no stream of events."""
    pieces, _ = cassette.decoded(exchange)
    if body := b"".join(pieces):
        t = since(exchange, exchange.chunks[-1].t, pieces=True)
        yield _object(common, choice=None, t_ms=_ms(t), kind="body", text="", data=_data(body))


def _object(common: dict[str, Any], **more: Any) -> bytes:
    return msgspec.json.encode({**common, **more}) + b"\n"


def _data(data: bytes) -> Any:
    """Return the JSON in an event, byte for byte, or its text if it is none."""
    try:
        msgspec.json.decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return data.decode("utf-8", "replace")
    return msgspec.Raw(data.replace(b"\n", b" ").replace(b"\r", b" "))


def _ms(t: int | None) -> float | None:
    return None if t is None else t / 1e6
