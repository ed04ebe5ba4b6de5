"""What another format has no place for goes beside an exchange, as a JSON object, and comes back from there.

A writer first makes of an exchange what the format can say, reads that as if it were a stranger's, and
puts the difference beside it. So nothing is said twice, and the invariant holds for any format, whatever
it can say: `restored(plain, beside(exchange, plain))` is the exchange again.

The plain part is what people edit. Where it no longer fits what stands beside it (the text of a body was
changed, so that the times of its pieces mean nothing), the plain part counts.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypeVar

from msgspec.structs import replace

from tokentape.cassette._body import decoded, request_body
from tokentape.cassette._coding import UndecodableContent
from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._records import (
    FORMAT_VERSION,
    Chunk,
    Close,
    End,
    Known,
    Note,
    Request,
    Response,
    Section,
)
from tokentape.cassette.formats._json_record import (
    KIND_OF,
    WrongField,
    bytes_of_json,
    json_of,
    json_of_bytes,
    record_of,
)
from tokentape.cassette.formats._plain import is_encoded, without_coding
from tokentape.cassette.formats._shown import shown

_R = TypeVar("_R", Section, Request, Response, End, Note, Close)
VERSION = 1
MAX_NS = 2**60
"""What a time of a cassette must not exceed."""


class SectionEnd(NamedTuple):
    """What a section has beside its exchanges. `close` is None if the recorder did not stop cleanly."""

    notes: Sequence[Note]
    close: Close | None


class Restored(NamedTuple):
    """An exchange as it was recorded; `section_end` is there with the first exchange of a section."""

    exchange: Exchange
    section_end: SectionEnd | None


def beside(exchange: Exchange, plain: Exchange, section_end: SectionEnd | None = None) -> dict[str, Any]:
    """Return what `plain`, the exchange as the format alone would give it back, lacks of an exchange.

    Both have a request; the exchange has its section.
    """
    assert exchange.section is not None  # noqa: S101
    found: dict[str, Any] = {
        "version": VERSION,
        "section": exchange.section_index,
        "section_record": _fields(exchange.section),
        "exchange": exchange.number,
        "request": _difference(exchange.request, plain.request),
        "response": _difference(exchange.response, plain.response),
        "pieces": _pieces(exchange, plain),
        "end": None if exchange.end is None else _fields(exchange.end),
        "notes": [_fields(note) for note in exchange.notes],
    }
    if section_end is not None:
        found["section_notes"] = [_fields(note) for note in section_end.notes]
        found["section_close"] = None if section_end.close is None else _fields(section_end.close)
    return found


def section_of(found: Any) -> tuple[int, Section]:
    """Return the number and the record of the section of what stands beside an exchange.

    Raises ValueError if it is not what `beside` has made.
    """
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise ValueError(f"expected what a tokentape of this version writes, found {shown(found)}")
    section = _record(Section, _part(found, "section_record", dict))
    if section.version != FORMAT_VERSION:
        raise WrongField(f"section_record: expected version {FORMAT_VERSION}, found {section.version}")
    return _part(found, "section", int), section


def restored(plain: Exchange, found: dict[str, Any]) -> Restored:
    """Return the exchange of which `plain` and what stands beside it were made.

    Where the body was changed since, it counts, as one piece without a time. Raises ValueError if what
    stands beside it is not what `beside` has made.
    """
    number = _part(found, "exchange", int)
    request = _record(Request, _patched(plain.request, _part(found, "request", dict), number))
    assert plain.request is not None  # noqa: S101
    if request.body != plain.request.body and not _is_encoded(request, plain.request.body):
        request = replace(request, body=plain.request.body)
    response = end = None
    if found.get("response") is not None:
        response = _record(Response, _patched(plain.response, _part(found, "response", dict), number))
    if found.get("end") is not None:
        end = _record(End, _part(found, "end", dict))
    notes = [_record(Note, each) for each in _part(found, "notes", list)]
    exchange = Exchange(
        section_index=_part(found, "section", int),
        section=section_of(found)[1],
        number=number,
        request=request,
        response=response,
        end=end,
        notes=notes,
    )
    exchange.chunks, size = _chunks(_part(found, "pieces", list), plain.body, number)
    if size is not None:
        fits = size == len(plain.body)
    else:
        fits = plain.response is None or b"".join(decoded(exchange)[0]) == plain.body
    if not fits:
        exchange = _with_other_body(exchange, plain)
    section_end = None
    if "section_notes" in found:
        close = found.get("section_close")
        notes = [_record(Note, each) for each in _part(found, "section_notes", list)]
        section_end = SectionEnd(notes, None if close is None else _record(Close, close))
    return Restored(exchange, section_end)


def _with_other_body(exchange: Exchange, plain: Exchange) -> Exchange:
    """Return an exchange whose body was changed: its times are known but for those of the pieces."""
    request, response = exchange.request, exchange.response
    assert request is not None  # noqa: S101
    exchange.chunks = [Chunk(exchange=exchange.number, t=0, data=plain.body)] if plain.body else []
    exchange.request = replace(request, times="headers" if request.times == "all" else request.times)
    if exchange.end is not None:
        exchange.end = replace(exchange.end, chunks=len(exchange.chunks), bytes=len(plain.body))
    is_as_headers_say = response is None or is_encoded(response.headers, plain.body)
    return exchange if is_as_headers_say else without_coding(exchange)


def _is_encoded(request: Request, body: bytes) -> bool:
    """Whether a body is the one of a request with its content-encoding undone, or is not there at all."""
    try:
        return not body or request_body(request) == body
    except UndecodableContent:
        return False


def _fields(record: Known) -> dict[str, Any]:
    found = json_of(record)
    del found["kind"]
    return found


def _difference(record: Known | None, plain: Known | None) -> dict[str, Any] | None:
    if record is None:
        return None
    fields = _fields(record)
    if plain is not None:
        others = _fields(plain)
        fields = {name: value for name, value in fields.items() if value != others[name]}
    fields.pop("exchange", None)
    return fields


def _patched(plain: Known | None, difference: dict[str, Any], number: int) -> dict[str, Any]:
    return ({} if plain is None else _fields(plain)) | difference | {"exchange": number}


def _pieces(exchange: Exchange, plain: Exchange) -> list[list[Any]]:
    """Return time and size of each piece, or time and bytes if the plain body is not the one that came."""
    if exchange.body == plain.body:
        return [[chunk.t, len(chunk.data)] for chunk in exchange.chunks]
    return [[chunk.t, json_of_bytes(chunk.data)] for chunk in exchange.chunks]


def _chunks(pieces: list[Any], body: bytes, number: int) -> tuple[list[Chunk], int | None]:
    """Return the pieces, and how many bytes of the body they should be; None if they have their own."""
    chunks: list[Chunk] = []
    position = 0
    own = False
    for piece in pieces:
        match piece:
            case [int(t), int(size)] if size >= 0 and abs(t) <= MAX_NS:
                data = body[position : position + size]
                position += size
            case [int(t), str() | dict() as content] if abs(t) <= MAX_NS:
                data = bytes_of_json("pieces", content)
                own = True
            case _:
                raise WrongField(f"pieces: expected pairs of time and size, found {shown(piece)}")
        chunks.append(Chunk(exchange=number, t=t, data=data))
    return chunks, None if own else position


def _part(found: dict[str, Any], name: str, kind: type) -> Any:
    value = found.get(name)
    if type(value) is not kind:
        raise WrongField(f"{name}: expected {kind.__name__}, found {shown(value)}")
    return value


def _record(kind: type[_R], fields: Any) -> _R:
    name = KIND_OF[kind]
    if not isinstance(fields, dict):
        raise WrongField(f"{name}: expected an object, found {shown(fields)}")
    record = record_of(fields | {"kind": name})
    assert isinstance(record, kind)  # noqa: S101
    return record
