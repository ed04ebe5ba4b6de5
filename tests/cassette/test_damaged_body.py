"""What is decoded of a body whose encoding is damaged does not depend on the pieces in which it came."""

import gzip
import zlib
from random import Random

import pytest
import zstandard

from tests.analysis.tapes import records
from tokentape import cassette

TEXT = b"".join(b"data: %d\n\n" % Random(number).getrandbits(64) for number in range(2000))


def brotli():
    import brotli

    return brotli.compress(TEXT)


BODIES = {
    "gzip": gzip.compress(TEXT, mtime=0),
    "deflate": zlib.compress(TEXT),
    "br": brotli(),
    "zstd": zstandard.ZstdCompressor().compress(TEXT),
}


def decoded(encoding, pieces):
    request, response, *chunks, end = records(list(enumerate(pieces)), encoding=encoding)
    exchange = cassette.Exchange(
        number=0, section_index=0, section=None, request=request, response=response, chunks=chunks, end=end
    )
    found, why = cassette.decoded(exchange)
    assert len(found) == len(pieces)
    return b"".join(found), why


@pytest.mark.parametrize("encoding", BODIES)
@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.9])
def test_text_before_the_damage_is_known_however_it_came(encoding, place):
    body = bytearray(BODIES[encoding])
    at = int(place * len(body))
    for byte in range(at, min(at + 40, len(body))):
        body[byte] ^= 0x55
    body = bytes(body)
    single = decoded(encoding, [body[n : n + 1] for n in range(len(body))])
    for size in (7, 4096, 5000, len(body)):
        assert decoded(encoding, [body[n : n + size] for n in range(0, len(body), size)])[0] == single[0]
    if encoding in ("gzip", "deflate") and place == 0.9:
        assert len(single[0]) > len(TEXT) / 2
        assert TEXT.startswith(single[0][: len(TEXT) // 2])


def test_encoding_that_is_not_known_gives_nothing():
    found, why = decoded("rot13", [b"abc", b"d"])
    assert (found, why) == (b"", "content-encoding 'rot13' is not one of gzip, deflate, br, zstd")
