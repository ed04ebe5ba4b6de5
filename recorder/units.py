"""Sizes and spans of time as people write them: 100MB, 1.5GiB, 90s, 1h."""

import re

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BYTES |= {f"{prefix}i": 2 ** (10 * power) for power, prefix in enumerate("kmgt", 1)}
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MAX_BYTES, _MAX_NS = (
    2**62,
    100 * 366 * 86_400 * 10**9,
)  # what is more would overflow the numbers of a cassette
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?", re.IGNORECASE | re.ASCII)
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])", re.IGNORECASE | re.ASCII)


def size_bytes(text: str) -> int:
    """Return a size in bytes; MB is 10^6 and MiB 2^20. Raises ValueError for what is none, 0, or too much."""
    found = _SIZE.fullmatch(text.strip())
    size = float(found[1]) * _BYTES.get(found[2].lower(), 0) if found else 0
    if not 1 <= round(min(size, 2 * _MAX_BYTES)) <= _MAX_BYTES:
        raise ValueError(f"expected a size such as 100MB, 500kB or 2GiB, found {text!r}")
    return round(size)


def span_ns(text: str) -> int:
    """Return a span of time in ns. Raises ValueError for what is none, 0, or over 100 years."""
    found = _SPAN.fullmatch(text.strip())
    span = float(found[1]) * _SECONDS[found[2].lower()] * 1e9 if found else 0
    if not 1 <= round(min(span, 2 * _MAX_NS)) <= _MAX_NS:
        raise ValueError(f"expected a span of time such as 30s, 15m, 1h or 7d, found {text!r}")
    return round(span)
