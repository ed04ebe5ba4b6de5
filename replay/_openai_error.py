"""The server's own error answers, in the shape that the clients of chat APIs parse and show."""

import json
from http import HTTPStatus


def error_response(
    status: int, message: str, *, kind: str, code: str, with_body: bool = True, close: bool = False
) -> bytes:
    """Return a whole HTTP/1.1 response whose JSON is `{"error": {message, type, code, param}}`.

    `kind` becomes the error's type. Without `with_body` it is the answer to a HEAD request: its
    content-length is that of the body it leaves out (RFC 9110, 8.6).
    """
    error = {"message": message, "type": kind, "code": code, "param": None}
    body = json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(["connection: close"] if close else []),
    ]
    head = "\r\n".join([*lines, "", ""]).encode("ascii")
    return head + body if with_body else head
