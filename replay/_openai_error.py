"""The server's own error answers, in the shape that the clients of chat APIs parse and show."""

import json
from collections.abc import Iterable

from tokentape.replay._whole_response import whole_response


def error_response(
    status: int,
    message: str,
    *,
    kind: str,
    code: str,
    fields: Iterable[str] = (),
    with_body: bool = True,
    close: bool = False,
) -> bytes:
    """Return a whole HTTP/1.1 response whose JSON is `{"error": {message, type, code, param}}`.

    `kind` becomes the error's type. The rest is as `whole_response` has it.
    """
    error = {"message": message, "type": kind, "code": code, "param": None}
    body = json.dumps({"error": error}, ensure_ascii=False).encode("utf-8", "replace")
    return whole_response(status, body, fields=fields, with_body=with_body, close=close)
