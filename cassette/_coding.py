"""Undoing content-encodings piece by piece, so that a piece's text is known from the moment it arrived."""

import zlib
from collections.abc import Callable
from typing import Protocol

import brotli
import zstandard

_SLICE = 1 << 16


class UndecodableContent(ValueError):
    """The body is not what its content-encoding says; `ContentDecoder` decodes no more of it."""


class ContentDecoder:
    """Decodes the body of a response from its `content-encoding`, one piece in, what it holds out.

    Several encodings in one header are undone from the last to the first (RFC 9110, 8.4). Raises
    `UndecodableContent` for an encoding that is not gzip, deflate, br, zstd or identity.
    """

    def __init__(self, content_encoding: str = "") -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._stages = [_stage(name) for name in reversed(names) if name not in ("", "identity")]

    def feed(self, piece: bytes) -> bytes:
        """Return what can be decoded with this piece; it may be nothing.

        Raises `UndecodableContent` if the bytes are not of the encoding.
        """
        for stage in self._stages:
            try:
                piece = stage(piece)
            except (zlib.error, brotli.error, zstandard.ZstdError) as error:
                raise UndecodableContent(f"not what its encoding says: {error}") from None
        return piece


def decode_content(data: bytes, content_encoding: str, *, max_bytes: int) -> bytes:
    """Return a whole body with its content-encoding undone.

    Raises `UndecodableContent` if the bytes are not of the encoding, or more than `max_bytes` come of them.
    """
    decoder = ContentDecoder(content_encoding)
    parts: list[bytes] = []
    size = 0
    for start in range(0, len(data), _SLICE):  # so that a small body cannot become a very large one
        parts.append(decoder.feed(data[start : start + _SLICE]))
        size += len(parts[-1])
        if size > max_bytes:
            raise UndecodableContent(f"more than {max_bytes} bytes come of its {len(data)}")
    return b"".join(parts)


def _stage(name: str) -> Callable[[bytes], bytes]:
    match name:
        case "gzip" | "x-gzip":
            return _Members(lambda: zlib.decompressobj(wbits=31)).decompress
        case "deflate":
            return _Deflate().decompress
        case "br":
            return brotli.Decompressor().process  # type: ignore[no-any-return]  # brotli has no types
        case "zstd":
            return _Members(lambda: zstandard.ZstdDecompressor().decompressobj()).decompress
        case _:
            raise UndecodableContent(f"content-encoding {name!r} is not one of gzip, deflate, br, zstd")


class _Deflate:
    """`deflate` is zlib (RFC 9110, 8.4.1.2), but some servers send raw deflate: the first byte tells."""

    def __init__(self) -> None:
        self._decompress: Callable[[bytes], bytes] | None = None

    def decompress(self, piece: bytes) -> bytes:
        if not piece:
            return b""
        if self._decompress is None:
            is_zlib = piece[0] & 0x0F == 8 and piece[0] >> 4 <= 7
            self._decompress = zlib.decompressobj(wbits=15 if is_zlib else -15).decompress
        return self._decompress(piece)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Members:
    """gzip content may be several members in a row (RFC 1952, 2.2), zstd several frames (RFC 8878, 3.1)."""

    def __init__(self, new: Callable[[], _Decompressor]) -> None:
        self._new = new
        self._member = new()

    def decompress(self, piece: bytes) -> bytes:
        decoded: list[bytes] = []
        while piece:
            if self._member.eof:
                self._member = self._new()
            decoded.append(self._member.decompress(piece))
            piece = self._member.unused_data if self._member.eof else b""
        return b"".join(decoded)
