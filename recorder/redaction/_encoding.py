"""Content-encodings, applied: the reverse of `cassette.ContentDecoder`, in one go or piece by piece."""

import zlib
from collections.abc import Callable, Iterable

import brotli
import zstandard


def encode(data: bytes, content_encoding: str) -> bytes:
    """Return data in the content-encoding of a header, which may name several, the first applied first.

    Raises KeyError for one that `cassette.ContentDecoder` does not know either.
    """
    (encoded,) = encode_pieces([data], content_encoding)
    return encoded


def encode_pieces(pieces: Iterable[bytes], content_encoding: str) -> list[bytes]:
    """Return pieces in a content-encoding: what is in the first so many can be decoded from as many.

    None is empty, as pieces of a cassette are not, unless there is too little to be shared out.
    """
    pieces = list(pieces)
    for name in filter(None, (name.strip().lower() for name in content_encoding.split(","))):
        if name != "identity":
            pieces = _encoded(pieces, *_ENCODERS[name]())
    for index in range(1, len(pieces)):
        if not pieces[index] and len(pieces[index - 1]) > 1:  # it takes the last byte of the one before
            pieces[index - 1], pieces[index] = pieces[index - 1][:-1], pieces[index - 1][-1:]
    return pieces


_Encoder = tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]


def _encoded(
    pieces: list[bytes], feed: Callable[[bytes], bytes], flush: Callable[[], bytes], end: Callable[[], bytes]
) -> list[bytes]:
    encoded = [feed(piece) + (flush() if index + 1 < len(pieces) else end()) for index, piece in enumerate(pieces)]
    return encoded or []


def _zlib(wbits: int) -> Callable[[], _Encoder]:
    def encoder() -> _Encoder:
        made = zlib.compressobj(wbits=wbits)
        return made.compress, lambda: made.flush(zlib.Z_SYNC_FLUSH), made.flush

    return encoder


def _brotli() -> _Encoder:
    made = brotli.Compressor(quality=4)
    return made.process, made.flush, made.finish


def _zstd() -> _Encoder:
    made = zstandard.ZstdCompressor().compressobj()
    return made.compress, lambda: made.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK), made.flush


_ENCODERS: dict[str, Callable[[], _Encoder]] = {
    "gzip": _zlib(31),
    "x-gzip": _zlib(31),
    "deflate": _zlib(15),
    "br": _brotli,
    "zstd": _zstd,
}
