"""The list of models, for clients that ask for it first: what was recorded says which there are.

It is in the shape of OpenAI's `GET /v1/models` and `GET /v1/models/{id}`.
"""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

from tokentape.cassette import ContentDecoder, Exchange, UndecodableContent, events, header
from tokentape.dialects import choose, path_of, requested_model
from tokentape.replay._whole_response import whole_response

_PIECES_LOOKED_AT = 8  # the first event of a stream names its model
_MAX_LOOKED_AT_BYTES = 1 << 20


def models_of(exchange: Exchange) -> tuple[str, ...]:
    """Return the model that an exchange asked for and the one that answered, without doubles.

    An exchange that failed says nothing: it may have failed because there is no such model.
    """
    request, response = exchange.request, exchange.response
    if request is None or response is None or not 200 <= response.status < 300:
        return ()
    found = (requested_model(request), _answered(exchange))
    return tuple(dict.fromkeys(name for name in found if name))


def _answered(exchange: Exchange) -> str | None:
    pieces = _first_pieces(exchange)
    dialect = choose(path_of(exchange.request) if exchange.request else "", events(pieces))
    read = dialect.reader()
    seen = False
    for event in events(pieces):
        seen = True
        for carried in read(event):
            if carried.model:
                return carried.model
    if seen:
        return None
    body = b"".join(pieces)
    return next((carried.model for carried in dialect.read_answer(body) if carried.model), None)


def _first_pieces(exchange: Exchange) -> list[bytes]:
    """Return what tells the model: the first pieces of a stream, all of another answer that is not long."""
    headers = exchange.response.headers if exchange.response else ()
    streamed = "event-stream" in header(headers, b"content-type")
    chunks = exchange.chunks[:_PIECES_LOOKED_AT] if streamed else exchange.chunks
    if sum(len(chunk.data) for chunk in chunks) > _MAX_LOOKED_AT_BYTES:
        return []
    try:
        encoding = header(headers, b"content-encoding")
        decode = ContentDecoder(encoding, max_bytes=_MAX_LOOKED_AT_BYTES).feed
        return [decode(chunk.data) for chunk in chunks]
    except UndecodableContent:
        return []


def listed(path: str, base_path: str, models: Iterable[str]) -> dict[str, Any] | None:
    """Return the answer to a GET or HEAD for a path without its query: the list, or one model of it.

    None if the path asks for neither, or for a model that was not recorded. `base_path` is what the recorded
    paths begin with, as "/v1".
    """
    for base in dict.fromkeys([base_path, "/v1"]):
        if path == f"{base}/models":
            return {"object": "list", "data": [_model(name) for name in dict.fromkeys(models)]}
        name = unquote(path.removeprefix(f"{base}/models/"))
        if path.startswith(f"{base}/models/") and name in models:
            return _model(name)
    return None


def models_response(answer: dict[str, Any], *, with_body: bool = True, close: bool) -> bytes:
    """Return an answer of `listed` as a whole HTTP/1.1 response; to HEAD it is one without its body."""
    return whole_response(200, json.dumps(answer).encode(), with_body=with_body, close=close)


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "tokentape"}
