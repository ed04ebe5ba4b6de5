"""Events as a dialect reads them."""

import json
from typing import Any

from tokentape.cassette import ServerSentEvent
from tokentape.dialects import Carried, name_of, named


def read_all(dialect: str, *payloads: Any, event: str = "message") -> list[Carried]:
    """Return what each payload carries, in one stream; bytes are taken as they are."""
    read = named(dialect).reader()
    found = []
    for payload in payloads:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        found += read(ServerSentEvent(raw, 0, event))
    return found


def said(rows: list[Carried]) -> list[tuple[str, str]]:
    """Return the kinds and the text of each row."""
    return [(name_of(row.carries), row.text) for row in rows]
