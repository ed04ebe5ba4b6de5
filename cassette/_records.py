"""The records of format version 1, as values.

A record is a msgpack array whose first element is its kind. The order of the fields below *is* the
format: a field is only ever added at the end, with a default, and none is ever removed. Readers skip
what they do not know: further fields of a known kind are ignored here (and kept by whatever copies
frames), an unknown kind is an `Unknown`.

Times (`t`, `t_end`, ...) are integer nanoseconds of a monotonic clock since the start of the section.

msgspec decodes a payload straight into these types and checks them on the way, in 0.1 us a record;
with a plain msgpack library and dataclasses it is more than ten times that.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from tokentape.cassette._errors import UnsupportedVersion

FORMAT_VERSION = 1

EndReason: TypeAlias = Literal["complete", "client-closed", "upstream-error", "recorder-stopped"]
Times: TypeAlias = Literal["all", "headers", "none"]
Ns: TypeAlias = Annotated[int, Meta(ge=-(2**60), le=2**60)]
"""Nanoseconds of the section's clock: 36 years, so that sums and differences of a few fit into 64 bits."""
Count: TypeAlias = Annotated[int, Meta(ge=0, le=2**60)]
Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields in the order and spelling in which they came."""


class _Record(msgspec.Struct, array_like=True, frozen=True):
    """What all records have in common: a msgpack array, its tag first."""


class Section(_Record, tag=0, frozen=True, kw_only=True):
    """Begins a recording; a file to which a recording was appended has several."""

    version: Count
    wall_ns: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """The wall clock at the start of the section, Unix time in ns; the only wall-clock time there is."""
    mono_ns: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    """The monotonic clock at the same moment, from which all times of the section are counted."""
    writer: str
    proxy: str
    host: str
    redaction: tuple[str, ...] = ()
    """The names of the redaction rules that were in force."""
    labels: dict[str, str] = {}


class Request(_Record, tag=1, frozen=True, kw_only=True):
    """A request, written when it is complete. `t` is when its headers were seen, `t_end` its last byte."""

    exchange: Count
    t: Ns
    t_end: Ns
    method: str
    scheme: str
    host: str
    port: Count
    path: bytes
    """The request target with its query, as sent."""
    http_version: str
    headers: Headers
    body: bytes
    connection: str
    """Names the client's connection: equal for requests that came over the same one."""
    redactions: Count = 0
    """How many values were replaced before the record was written."""
    times: Times = "all"
    """Which times of the exchange are known; less than all if it was imported from another format."""


class Connect(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """When the connection to the upstream was opened. None where there was no such step."""

    tcp_start: Ns | None = None
    tcp_end: Ns | None = None
    tls_end: Ns | None = None


class Response(_Record, tag=2, frozen=True, kw_only=True):
    """Status and headers, written when they arrive. `connect` is there if a connection was opened for it."""

    exchange: Count
    t: Ns
    status: Annotated[int, Meta(ge=0, le=999)]
    reason: bytes
    http_version: str
    headers: Headers
    connect: Connect | None = None
    redactions: Count = 0


class Chunk(_Record, tag=3, frozen=True, kw_only=True, gc=False):
    """One piece of the response's body, exactly as it arrived: still content-encoded, not re-cut."""

    exchange: Count
    t: Ns
    data: bytes


class End(_Record, tag=4, frozen=True, kw_only=True):
    """How and when the exchange ended, and what should have been read of it until here."""

    exchange: Count
    t: Ns
    reason: EndReason
    detail: str = ""
    trailers: Headers | None = None
    chunks: Count = 0
    bytes: Count = 0


class Note(_Record, tag=5, frozen=True, kw_only=True):
    """A remark made while recording, of one exchange or of the section."""

    t: Ns
    text: str
    exchange: Count | None = None


class Close(_Record, tag=6, frozen=True, kw_only=True):
    """The recorder stopped cleanly, having written so many exchanges, chunks and body bytes."""

    t: Ns
    exchanges: Count
    chunks: Count
    bytes: Count


class Unknown(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a kind that this version does not know: skipped by readers, kept by rewriters."""

    kind: int
    payload: bytes


Known: TypeAlias = Section | Request | Response | Chunk | End | Note | Close
Record: TypeAlias = Known | Unknown

encode = msgspec.msgpack.Encoder().encode
"""Return the payload of a frame for a record: one msgpack array."""

_fields: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])


def encode_like(payload: bytes, record: Known) -> bytes:
    """Return the payload of a record that was changed: its fields, and what `payload` had beyond them.

    `payload` is what the record was read from; further fields are of a version that knows more.
    """
    fields = _fields.decode(encode(record))
    return encode([*fields, *_fields.decode(payload)[len(fields) :]])


_decoder: msgspec.msgpack.Decoder[Known] = msgspec.msgpack.Decoder(Known)
_KNOWN_KINDS = range(7)


class _Head(msgspec.Struct, array_like=True, frozen=True):
    """The first two elements of any array; what follows is walked over, and no memory is taken for it."""

    kind: msgspec.Raw
    version: msgspec.Raw = msgspec.Raw()


_head = msgspec.msgpack.Decoder(_Head)
_int = msgspec.msgpack.Decoder(int)


def decode(payload: bytes) -> Record:
    """Return the record in a frame's payload.

    Raises ValueError, with what was expected and found, if the payload is not a record.
    """
    try:
        return _decoder.decode(payload)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        kind, version = _peek(payload)
        if kind is None or kind < 0:
            raise ValueError(f"expected an array that begins with the record's kind: {error}") from None
        if kind not in _KNOWN_KINDS:
            return Unknown(kind=kind, payload=payload)
        if kind == 0 and version is not None and version != FORMAT_VERSION:
            # Another format may have other fields in its section; this one stays where it is.
            return Section(version=version, wall_ns=0, mono_ns=0, writer="", proxy="", host="")
        raise ValueError(f"record of kind {kind}: {error}") from None


def check_version(section: Section, name: str) -> None:
    """Raise `UnsupportedVersion` if the section, in the file of that name, is of another format than ours."""
    if (reason := unsupported(section)) is not None:
        raise UnsupportedVersion(f"{name}: {reason}")


def unsupported(section: Section) -> str | None:
    """Return which version was found and which is known, in words, if the section is of another than ours."""
    if section.version == FORMAT_VERSION:
        return None
    return (
        f"this is format version {section.version}, and this tokentape reads {FORMAT_VERSION}; "
        "please upgrade: pip install --upgrade tokentape"
    )


def _peek(payload: bytes) -> tuple[int | None, int | None]:
    """Return the first two elements of an array as far as they are integers."""
    try:
        head = _head.decode(payload)
    except (msgspec.MsgspecError, RecursionError):
        return None, None
    return _integer(head.kind), _integer(head.version)


def _integer(element: msgspec.Raw) -> int | None:
    try:
        return _int.decode(element)
    except msgspec.MsgspecError:
        return None
