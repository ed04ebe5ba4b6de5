import gzip
import zlib

import brotli
import pytest
import zstandard

from tokentape.cassette import ContentDecoder, UndecodableContent

TEXT = b"".join(b'data: {"n": %d}\n\n' % n for n in range(200))
RAW = zlib.compressobj(wbits=-15)
ENCODED = {
    "": TEXT,
    "identity": TEXT,
    "gzip": gzip.compress(TEXT),
    "x-gzip": gzip.compress(TEXT[:99]) + gzip.compress(TEXT[99:]),
    "GZIP ": gzip.compress(TEXT),
    "deflate": zlib.compress(TEXT),
    "br": brotli.compress(TEXT),
    "zstd": zstandard.ZstdCompressor().compress(TEXT),
    "zstd, identity": zstandard.ZstdCompressor().compress(TEXT[:7])
    + zstandard.ZstdCompressor().compress(TEXT[7:]),
    "gzip, br": brotli.compress(gzip.compress(TEXT)),
}


@pytest.mark.parametrize("encoding", ENCODED)
@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_each_encoding_is_undone_in_any_pieces(encoding, size):
    decoder = ContentDecoder(encoding)
    body = ENCODED[encoding]
    assert b"".join(decoder.feed(body[n : n + size]) for n in range(0, len(body), size)) == TEXT


def test_raw_deflate_is_understood_too():
    assert ContentDecoder("deflate").feed(RAW.compress(TEXT) + RAW.flush()) == TEXT


def test_a_flushed_piece_is_decoded_at_once():
    compress = zlib.compressobj(wbits=31)
    decoder = ContentDecoder("gzip")
    for event in (b"data: a\n\n", b"data: b\n\n"):
        assert decoder.feed(compress.compress(event) + compress.flush(zlib.Z_SYNC_FLUSH)) == event


def test_an_unknown_encoding_is_named():
    with pytest.raises(UndecodableContent, match="'rot13'"):
        ContentDecoder("rot13")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_body_of_another_kind_is_undecodable(encoding):
    decoder = ContentDecoder(encoding)
    with pytest.raises(UndecodableContent, match="encoding"):
        decoder.feed(b"\xffplain text, not compressed" * 10)
