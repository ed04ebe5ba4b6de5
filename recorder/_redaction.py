"""Credentials do not reach the disk: the values of the headers that carry them are replaced.

The name of the header and, for `Authorization`, the scheme stay, so that one still sees how a client
authenticated.
"""

from tokentape.cassette import Headers

RULES = ("credential-headers",)
"""The names of the rules in force, as the section record states them."""

_PLACEHOLDER = b"[redacted]"
_SCHEME_KEPT = frozenset([b"authorization", b"proxy-authorization"])
_CREDENTIAL_HEADERS = _SCHEME_KEPT | {
    b"api-key",
    b"cookie",
    b"openai-organization",
    b"openai-project",
    b"set-cookie",
    b"x-amz-security-token",
    b"x-api-key",
    b"x-auth-token",
    b"x-goog-api-key",
    b"x-dashscope-apikey",
}


def redact(headers: Headers) -> tuple[Headers, int]:
    """Return the headers with the values of credentials replaced, and how many were."""
    kept = tuple(
        (name, _replacement(name.lower(), value)) if name.lower() in _CREDENTIAL_HEADERS else (name, value)
        for name, value in headers
    )
    return kept, sum(name.lower() in _CREDENTIAL_HEADERS for name, _ in headers)


def _replacement(name: bytes, value: bytes) -> bytes:
    scheme, space, _ = value.partition(b" ")
    return scheme + b" " + _PLACEHOLDER if name in _SCHEME_KEPT and space else _PLACEHOLDER
