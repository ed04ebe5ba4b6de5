"""A request as it is matched: what was sent, without what only says how it was sent."""

import re
from contextlib import suppress

import msgspec

from tokentape.cassette import (
    Headers,
    UndecodableContent,
    decode_content,
    header,
    same_authority,
    split_authority,
)
from tokentape.replay.matching._secrets import printable, shown_target

MAX_DECODED_BYTES = 16 * 1024 * 1024
_WHOLE_URL = re.compile(rb"(https?)://([^/?]*)(.*)", re.IGNORECASE | re.DOTALL)


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request can be matched. `path` is the target with its query, without scheme and host.

    `authority` is the host and port that it is for, as it says or its connection; "" if its Host header does.
    """

    method: str
    path: bytes
    body: bytes
    headers: Headers = ()
    scheme: str = ""
    authority: str = ""

    @property
    def host(self) -> str:
        """The host and port in one spelling, as api.example:443; "" if nothing says them."""
        text = self.authority or header(self.headers, b"host")
        try:
            host, port = split_authority(text.strip())
        except ValueError:
            return ""
        return same_authority(host, port, scheme=self.scheme)

    @property
    def shown_path(self) -> str:
        """The path as text for people, in whose terminal it does nothing, without credentials."""
        return shown_target(self.path)

    def __str__(self) -> str:
        return f"{printable(self.method)} {self.shown_path}"


def request_key(
    method: str,
    target: bytes,
    body: bytes,
    headers: Headers = (),
    *,
    scheme: str = "",
    authority: str = "",
) -> RequestKey:
    """Return the key of a request with the target as sent; servers accept whole URLs (RFC 9112, 3.2.2).

    What a URL says of scheme and host counts more than a Host header, and `authority` more than both.
    The body is matched with its content-encoding undone, where that can be done and makes at most 16 MiB of
    it: a few kilobytes may become a thousand times as much, while all answers wait.
    """
    if encoding := header(headers, b"content-encoding"):
        with suppress(UndecodableContent):
            body = decode_content(body, encoding, max_bytes=MAX_DECODED_BYTES)
    if not target.startswith(b"/") and (found := _WHOLE_URL.fullmatch(target)):
        of_url, host, rest = found.groups()
        target = rest if rest.startswith(b"/") else b"/" + rest
        if not authority:
            scheme, authority = of_url.decode("ascii").lower(), host.decode("utf-8", "replace")
    return RequestKey(
        method=method, path=target, body=body, headers=headers, scheme=scheme, authority=authority
    )
