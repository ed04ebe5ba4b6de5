"""JSON as providers send it: what is valid is decoded, what is nearly valid too, and nothing raises."""

import json
from typing import Any

import msgspec

MAX_COUNT = 2**53
"""Above this a JSON number may have been rounded on its way; no token count comes near it."""

_decode = msgspec.json.Decoder().decode


def parse(data: bytes) -> Any:
    """Return the JSON value in `data`, or None if there is none.

    The standard library's decoder is asked second: it accepts NaN and halves of a surrogate pair, which
    some providers send when an emoji is cut between two chunks. A half is U+FFFD in what is returned.
    """
    try:
        return _decode(data)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return _without_surrogates(json.loads(data.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return None


def count_of(value: object) -> int | None:
    """Return a number of tokens, or None for whatever is not one: strings, booleans, negatives, fractions."""
    if type(value) is float and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= MAX_COUNT else None


def text_of(value: object) -> str:
    """Return a string that is one, and "" for anything else."""
    return value if type(value) is str else ""


def dict_of(value: object) -> dict[str, Any]:
    """Return an object that is one, and an empty one for anything else."""
    return value if type(value) is dict else {}


def list_of(value: object) -> list[Any]:
    """Return an array that is one, and an empty one for anything else."""
    return value if type(value) is list else []


def compact(value: object) -> str:
    """Return a JSON value as short as it can be written; "" if it is nested too deeply for that."""
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (RecursionError, TypeError, ValueError):
        return ""


def _without_surrogates(value: Any) -> Any:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_surrogates(item) for item in value]
        case dict():
            return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
        case _:
            return value
