"""The API that a live request goes to, and the request as it goes there: no IO.

The client's request goes on as it came, but for its Host and for what concerns only the client's own
connection (RFC 9110, 7.6.1). Its path begins with the URL's: one that does already goes on as it is,
since a client's base URL has the prefix (/v1), and before any other the URL's path is put.

Invariant: the body goes on byte for byte, and so does every field that says who asks.
"""

from dataclasses import dataclass
from typing import Literal, Self
from urllib.parse import urlsplit

from tokentape.cassette import Headers, authority
from tokentape.replay._http1 import HOP_BY_HOP, named_in_connection
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.serving._requests import IncomingRequest

# Of these the server has had its part: the body is complete, and its length is known.
_FRAMING = (b"content-length", b"transfer-encoding")
_OURS = HOP_BY_HOP | {b"expect", b"content-length", b"host"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """Where an API is. `path` is what its paths begin with, without a slash at its end; "" for all."""

    scheme: Literal["http", "https"]
    host: str
    port: int
    path: str = ""

    @classmethod
    def of(cls, url: str) -> Self:
        """Return what a URL says. Raises ValueError for what is no URL of an API."""
        expected = "expected a URL such as https://api.openai.com, found"
        if "@" in url:  # it is not shown: the password may stand anywhere, however wrong the URL is
            raise ValueError(f"{expected} one with an @; credentials belong to the client's requests")
        if "?" in url or "#" in url:
            raise ValueError(f"{expected} one with a query; it belongs to the client's requests")
        try:
            parts = urlsplit(url)
            port = parts.port
            (parts.hostname or "").encode("idna")
        except ValueError as error:
            raise ValueError(f"{expected} {url!r} ({error})") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError(f"{expected} {url!r}")
        scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
        return cls(
            scheme=scheme,
            host=parts.hostname,
            port=port or (443 if scheme == "https" else 80),
            path=parts.path.rstrip("/"),
        )

    @property
    def authority(self) -> str:
        """The host, with the port if it is not the scheme's own."""
        return authority(self.host, self.port, scheme=self.scheme)

    @property
    def url(self) -> str:
        """Scheme and authority, for people."""
        return f"{self.scheme}://{self.authority}"

    def target(self, path: bytes) -> bytes:
        """Return the target of a request whose path and query are these."""
        prefix = self.path.encode()
        if not path.startswith(b"/") or path.partition(b"?")[0] == prefix or path.startswith(prefix + b"/"):
            return path
        return prefix + path

    def request(self, request: IncomingRequest, key: RequestKey) -> bytes:
        """Return the bytes of a request for this API, which ends the connection after its answer."""
        lines = [
            b"%b %b HTTP/1.1" % (request.method.encode("ascii"), self.target(key.path)),
            b"Host: " + self.authority.encode("idna"),
            *(name + b": " + value for name, value in _passed_on(request.headers)),
        ]
        if request.body or any(name.lower() in _FRAMING for name, _ in request.headers):
            lines.append(b"Content-Length: %d" % len(request.body))
        return b"\r\n".join([*lines, b"Connection: close", b"", b""]) + request.body


def _passed_on(headers: Headers) -> Headers:
    dropped = _OURS | named_in_connection(headers)
    return tuple(
        (name, value)
        for name, value in headers
        if name.lower() not in dropped and not name.lower().startswith(b"proxy-")
    )
