"""When two request bodies are the same: equal as JSON if they are JSON, else equal as bytes.

The order of keys, white space, the spelling of numbers (1, 1.0 and 1e0) and the escaping of characters
do not matter. What is not JSON after RFC 8259 (NaN included) is compared byte for byte.
"""

import json
from decimal import Decimal
from typing import Any


def canonical(body: bytes) -> bytes:
    """Return bytes that are equal for equal bodies and differ for others."""
    if not body:
        return b"bytes "  # as below, without the cost of an error
    try:
        value = parse_json(body)
        text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (ValueError, RecursionError):
        return b"bytes " + body
    return b"json " + text.encode("ascii")


def parse_json(body: bytes) -> Any:
    """Return a JSON value, numbers that are whole as int however they are spelled.

    Raises ValueError if it is not JSON, RecursionError if it is nested too deeply.
    """
    return json.loads(body, parse_float=_number, parse_constant=_no_constant)


def _number(spelling: str) -> int | float:
    number = float(spelling)
    if not number.is_integer():
        if number in (float("inf"), float("-inf")):
            raise ValueError(f"{spelling} is too large for a number")
        return number
    if not number:  # an exponent of any length may stand here, and Decimal takes no more than 18 digits
        digits = spelling.lower().partition("e")[0].strip("-0.")
        return number if digits else 0
    exact = Decimal(spelling)
    whole = int(exact)
    return whole if whole == exact else number


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
