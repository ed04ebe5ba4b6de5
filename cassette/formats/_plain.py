"""What strangers' exchanges have in common: headers as text, URLs, bodies that were decoded on the way."""

import zlib
from collections.abc import Iterable
from urllib.parse import urlsplit

import brotli
from msgspec.structs import replace

from tokentape.cassette._authority import DEFAULT_PORTS, authority
from tokentape.cassette._body import header
from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._reader import ZSTD_MAGIC
from tokentape.cassette._records import Headers
from tokentape.cassette.formats._shown import shown

_ENCODED = frozenset([b"content-encoding"])


def header_text(data: bytes) -> str:
    """Return a header's name or value as text: UTF-8 as many send it, or else latin-1."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


def headers_of(pairs: Iterable[tuple[str, str]]) -> Headers:
    """Return headers from text, without the pseudo-headers that browsers write for HTTP/2."""
    return tuple(
        (name.encode("utf-8", "replace"), value.encode("utf-8", "replace"))
        for name, value in pairs
        if not name.startswith(":")
    )


def target_of(url: str) -> tuple[str, str, int, bytes]:
    """Return scheme, host, port and request target of a URL.

    Raises ValueError if it has no host. Its message has none of the URL but its length: a query, a user's
    password, or what was taken for a port may be secret.
    """
    try:
        parts = urlsplit(url)
        host, given_port = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        raise ValueError(f"expected an absolute URL, found {shown(url)}")
    scheme = parts.scheme.lower()
    port = given_port or DEFAULT_PORTS.get(scheme, 0)
    # As it stands there, after the authority: urlsplit would drop some of it.
    rest = url.partition("//")[2].partition("#")[0]
    start = min((at for mark in "/?" if (at := rest.find(mark)) >= 0), default=len(rest))
    path = rest[start:]
    target = path if path.startswith("/") else "/" + path
    return scheme, host, port, target.encode("utf-8", "surrogatepass")


def url_of(scheme: str, host: str, port: int, path: bytes) -> str:
    """Return the URL of a request."""
    target = path.decode("utf-8", "backslashreplace")
    return f"{scheme}://{authority(host, port, scheme=scheme)}{'' if target.startswith('/') else '/'}{target}"


def without_coding(exchange: Exchange) -> Exchange:
    """Return an exchange whose answer was decoded when it was stored, with headers that say so.

    A content-encoding goes, and a content-length becomes the body's.
    """
    response = exchange.response
    if response is None:
        return exchange
    size = str(len(exchange.body)).encode("ascii")
    kept = tuple(
        (name, size if name.lower() == b"content-length" and exchange.chunks else value)
        for name, value in response.headers
        if name.lower() not in _ENCODED
    )
    exchange.response = replace(response, headers=kept)
    return exchange


def is_encoded(headers: Headers, body: bytes) -> bool:
    """Whether a body is what its content-encoding says: some programs store it decoded, and keep the header.

    The outermost coding is looked at; one that is not known is believed.
    """
    coding = header(headers, b"content-encoding").rpartition(",")[2].strip().lower()
    match coding:
        case "gzip" | "x-gzip":
            return body.startswith(b"\x1f\x8b")
        case "zstd":
            return body.startswith(ZSTD_MAGIC)
        case "deflate":
            return any(_inflates(body, bits) for bits in (15, -15))
        case "br":
            try:
                brotli.decompress(body)
            except brotli.error:
                return False
            return True
        case _:
            return True


def _inflates(body: bytes, bits: int) -> bool:
    try:
        return zlib.decompressobj(bits).decompress(body) is not None
    except zlib.error:
        return False
