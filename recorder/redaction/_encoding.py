"""Content-encodings, applied: the reverse of `cassette.ContentDecoder`, in one go or piece by piece."""

import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import accumulate, pairwise

import brotli
import zstandard

from tokentape import cassette


def encode(data: bytes, content_encoding: str) -> bytes:
    """Return data in the content-encoding of a header, which may name several, the first applied first.

    Raises KeyError for one that `cassette.ContentDecoder` does not know either.
    """
    (encoded,) = encode_pieces([data], content_encoding)
    return encoded


def unseen(data: bytes, content_encoding: str) -> Iterator[bytes]:
    """Yield the bytes in which a secret can stand as it is, though decoding leaves it out.

    gzip has names and comments, zstd frames to be skipped, and behind the end of deflate anything may come.
    Raises `UndecodableContent` as decoding does.
    """
    names = [name.strip().lower() for name in content_encoding.split(",")]
    for name in reversed([name for name in names if name not in ("", "identity")]):
        yield data
        if name == "deflate":
            inside = zlib.decompressobj(wbits=15 if data[:1] and data[0] & 0x8F == 8 else -15)
            with suppress(zlib.error):
                inside.decompress(data)
            yield inside.unused_data
        data = cassette.decode_content(data, name, max_bytes=cassette.MAX_RECORD_BYTES)


def encode_pieces(pieces: Iterable[bytes], content_encoding: str) -> list[bytes]:
    """Return pieces in a content-encoding: what is in the first so many can be decoded from as many.

    None is empty, as pieces of a cassette are not, unless there is too little to be shared out.
    """
    pieces = list(pieces)
    for name in filter(None, (name.strip().lower() for name in content_encoding.split(","))):
        if name != "identity":
            pieces = _encoded(pieces, *_ENCODERS[name]())
    return _shared_out(pieces)


def _shared_out(pieces: list[bytes]) -> list[bytes]:
    """Return the pieces with one byte for each empty one, from the next that has several or the last."""
    if all(pieces):
        return pieces
    sizes = [len(piece) for piece in pieces]
    for index, size in enumerate(sizes):
        if not size:
            others = (*range(index + 1, len(sizes)), *range(index - 1, -1, -1))
            giver = next((other for other in others if sizes[other] > 1), None)
            if giver is not None:
                sizes[giver] -= 1
                sizes[index] = 1
    return cut(b"".join(pieces), sizes)


def cut(data: bytes, sizes: Iterable[int]) -> list[bytes]:
    """Return data in pieces of these sizes."""
    ends = list(accumulate(sizes, initial=0))
    return [data[start:end] for start, end in pairwise(ends)]


_Encoder = tuple[Callable[[bytes], bytes], Callable[[], bytes], Callable[[], bytes]]


def _encoded(
    pieces: list[bytes], feed: Callable[[bytes], bytes], flush: Callable[[], bytes], end: Callable[[], bytes]
) -> list[bytes]:
    encoded = [
        feed(piece) + (flush() if index + 1 < len(pieces) else end()) for index, piece in enumerate(pieces)
    ]
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
