"""Answers of the server's own: a whole HTTP/1.1 response with a body that is known from the start."""

from collections.abc import Iterable
from http import HTTPStatus


def whole_response(
    status: int,
    body: bytes,
    *,
    content_type: str = "application/json",
    fields: Iterable[str] = (),
    with_body: bool = True,
    close: bool = False,
) -> bytes:
    """Return a response; `fields` are further lines of its head, as `allow: GET`.

    Without `with_body` it is the answer to a HEAD request: its content-length is that of the body it leaves
    out (RFC 9110, 8.6).
    """
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        f"content-type: {content_type}",
        f"content-length: {len(body)}",
        *fields,
        *(["connection: close"] if close else []),
    ]
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return head + body if with_body else head
