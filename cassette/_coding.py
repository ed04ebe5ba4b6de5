"""Undoing content-encodings piece by piece, so that a piece's text is known from the moment it arrived.

A few hundred bytes can stand for gigabytes. Invariant: what is made of them in memory is `max_bytes` and
what one step of the compression gives beyond these: a byte for gzip and deflate, about 1 MiB for br, 2 MiB
for zstd. A brotli before 1.2 cannot be stopped within a byte of input, which may give 16 MiB.
"""

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import brotli
import zstandard

from tokentape.cassette._framing import MAX_RECORD_BYTES

# A step of input is what gives no more than may still come, if each of its bytes gives `1 << SHIFT`.
_ZSTD_STEP = 64
_ZSTD_SHIFT = 15  # a block of four bytes can be 128 KiB: a byte can be 2**15
_BROTLI_STEP = 1 << 20
_BROTLI_SHIFT = 24  # the longest copy, for which a byte can be the last one needed
_UNLIMITED = 1 << 62


class UndecodableContent(ValueError):
    """The body is not what its content-encoding says; `ContentDecoder` decodes no more of it."""


class TooMuchContent(UndecodableContent):
    """More comes of the body than may."""


class ContentDecoder:
    """Decodes the body of a response from its `content-encoding`, one piece in, what it holds out.

    Several encodings in one header are undone from the last to the first (RFC 9110, 8.4). `max_bytes` are
    the most that may come of all pieces together; None is no limit, for who gives it little at a time.

    Raises `UndecodableContent` for an encoding that is not gzip, deflate, br, zstd or identity.
    """

    def __init__(self, content_encoding: str = "", *, max_bytes: int | None = MAX_RECORD_BYTES) -> None:
        names = [name.strip().lower() for name in content_encoding.split(",")]
        self._stages = [_stage(name) for name in reversed(names) if name not in ("", "identity")]
        self._max_bytes = _UNLIMITED if max_bytes is None else max_bytes
        self._left = [self._max_bytes] * len(self._stages)

    def feed(self, piece: bytes) -> bytes:
        """Return what can be decoded with this piece; it may be nothing.

        Raises `UndecodableContent` if the bytes are not of the encoding, or too many come of them.
        """
        for index, stage in enumerate(self._stages):
            try:
                piece = stage(piece, max(self._left[index], 0))
            except (zlib.error, brotli.error, zstandard.ZstdError) as error:
                raise UndecodableContent(f"not what its encoding says: {error}") from None
            self._left[index] -= len(piece)
            if self._left[index] < 0:
                raise TooMuchContent(f"more than {self._max_bytes} bytes come of it")
        return piece


def decode_content(data: bytes, content_encoding: str, *, max_bytes: int) -> bytes:
    """Return a whole body with its content-encoding undone.

    Raises `UndecodableContent` if the bytes are not of the encoding, or more than `max_bytes` come of them.
    """
    decoded = ContentDecoder(content_encoding, max_bytes=max_bytes).feed(data)
    if len(decoded) > max_bytes:  # without an encoding
        raise UndecodableContent(f"it has {len(decoded)} bytes, more than {max_bytes}")
    return decoded


_Stage = Callable[[bytes, int], bytes]
"""Returns what comes of a piece; if that is more than so many bytes, more than so many, but maybe not all."""


def _stage(name: str) -> _Stage:
    match name:
        case "gzip" | "x-gzip":
            return _Members(lambda: zlib.decompressobj(wbits=31)).decompress
        case "deflate":
            return _Deflate().decompress
        case "br" if hasattr(brotli.Decompressor, "can_accept_more_data"):
            return _Brotli().decompress
        case "br":
            return _BrotliWithoutLimit().decompress
        case "zstd":
            return _Members(_ZstdFrame).decompress
        case _:
            raise UndecodableContent(f"content-encoding {name!r} is not one of gzip, deflate, br, zstd")


class _Deflate:
    """`deflate` is zlib (RFC 9110, 8.4.1.2), but some servers send raw deflate: the first byte tells."""

    def __init__(self) -> None:
        self._decompress: _Stage | None = None

    def decompress(self, piece: bytes, most: int) -> bytes:
        if not piece:
            return b""
        if self._decompress is None:
            is_zlib = piece[0] & 0x0F == 8 and piece[0] >> 4 <= 7
            self._decompress = zlib.decompressobj(wbits=15 if is_zlib else -15).decompress
        return self._decompress(piece, most + 1)


class _Brotli:
    """Brotli from 1.2 on, whose output comes in steps."""

    def __init__(self) -> None:
        self._decompressor: Any = brotli.Decompressor()

    def decompress(self, piece: bytes, most: int) -> bytes:
        decoded = [self._decompressor.process(piece, output_buffer_limit=_BROTLI_STEP)]
        size = len(decoded[0])
        while size <= most and not self._decompressor.can_accept_more_data():
            decoded.append(self._decompressor.process(b"", output_buffer_limit=_BROTLI_STEP))
            size += len(decoded[-1])
        return b"".join(decoded)


class _BrotliWithoutLimit:
    """Brotli before 1.2, whose input comes in steps of which each byte may be the end of a copy."""

    def __init__(self) -> None:
        self._decompressor: Any = brotli.Decompressor()

    def decompress(self, piece: bytes, most: int) -> bytes:
        decoded: list[bytes] = []
        size = at = 0
        while at < len(piece) and size <= most:
            step = max((most - size) >> _BROTLI_SHIFT, 1)
            decoded.append(self._decompressor.process(piece[at : at + step]))
            size += len(decoded[-1])
            at += step
        return b"".join(decoded)


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _ZstdFrame:
    """The decompressor of a zstd frame; it has no limit on what it gives, so it is given little."""

    def __init__(self) -> None:
        self._frame: Any = zstandard.ZstdDecompressor().decompressobj()
        self._rest = b""

    @property
    def eof(self) -> bool:
        return bool(self._frame.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._frame.unused_data) + self._rest

    def decompress(self, data: bytes, max_length: int) -> bytes:
        decoded: list[bytes] = []
        size = at = 0
        while at < len(data) and size < max_length and not self._frame.eof:
            step = max((max_length - size) >> _ZSTD_SHIFT, _ZSTD_STEP)
            decoded.append(self._frame.decompress(data[at : at + step]))
            size += len(decoded[-1])
            at += step
        self._rest = data[at:]
        return b"".join(decoded)


class _Members:
    """gzip content may be several members in a row (RFC 1952, 2.2), zstd several frames (RFC 8878, 3.1)."""

    def __init__(self, new: Callable[[], _Decompressor]) -> None:
        self._new = new
        self._member = new()

    def decompress(self, piece: bytes, most: int) -> bytes:
        decoded: list[bytes] = []
        size = 0
        while piece and size <= most:
            if self._member.eof:
                self._member = self._new()
            decoded.append(self._member.decompress(piece, most - size + 1))
            size += len(decoded[-1])
            piece = self._member.unused_data if self._member.eof else b""
        return b"".join(decoded)
