"""A request as it is matched: what was sent, without what only says how it was sent."""

import re
from contextlib import suppress

import msgspec

from tokentape.cassette import (
    MAX_RECORD_BYTES,
    Headers,
    UndecodableContent,
    decode_content,
    header,
)
from tokentape.replay._secrets import printable, shown_target

_WHOLE_URL = re.compile(rb"https?://[^/?]*(.*)", re.IGNORECASE | re.DOTALL)


class RequestKey(msgspec.Struct, frozen=True, kw_only=True):
    """What of a request can be matched. `path` is the target with its query, without scheme and host."""

    method: str
    path: bytes
    body: bytes
    headers: Headers = ()

    @property
    def shown_path(self) -> str:
        """The path as text for people, in whose terminal it does nothing, without credentials."""
        return shown_target(self.path)

    def __str__(self) -> str:
        return f"{printable(self.method)} {self.shown_path}"


def request_key(method: str, target: bytes, body: bytes, headers: Headers = ()) -> RequestKey:
    """Return the key of a request with the target as sent; servers accept whole URLs (RFC 9112, 3.2.2).

    The body is matched with its content-encoding undone, where that can be done.
    """
    if encoding := header(headers, b"content-encoding"):
        with suppress(UndecodableContent):
            body = decode_content(body, encoding, max_bytes=MAX_RECORD_BYTES)
    if found := _WHOLE_URL.fullmatch(target):
        target = found[1] if found[1].startswith(b"/") else b"/" + found[1]
    return RequestKey(method=method, path=target, body=body, headers=headers)
