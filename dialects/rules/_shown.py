"""A JSON value in a few words, whatever it is: no long text, no deep nesting, nothing that raises."""

import json
import re
from typing import Any

_LONGEST = 60
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def shown(value: Any) -> str:
    """Return a value as JSON, cut if it is long; objects and arrays only by their size."""
    match value:
        case dict():
            return f"an object with {len(value)} field{'s' * (len(value) != 1)}"
        case list():
            return f"an array of {len(value)}"
        case str():
            return json.dumps(cut(value), ensure_ascii=False)
        case int() if abs(value) > 10**_LONGEST:
            return "a very long number"
        case _:
            return json.dumps(value)


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return the text, or its beginning with dots."""
    return text if len(text) <= longest else text[:longest] + "..."


def member(path: str, name: str) -> str:
    """Return the path of a field, as RFC 9535 writes it."""
    return f"{path}.{name}" if _PLAIN_NAME.fullmatch(name) else f"{path}[{shown(name)}]"
