"""Speeds, spans of time, rates and distributions, from how people write them to numbers.

Every error is a ValueError of one line: what was expected, with examples, and what was found.
Invariant: spans are whole nanoseconds, rounded down, and never negative.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

Speed: TypeAlias = float | Literal["instant"]
"""How many times faster than recorded, a number from 1e-9 to 1e9; or "instant", without any waiting."""

_NS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3_600 * 10**9}
_SPAN = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s*(ns|us|ms|s|m|h)", re.ASCII)
_MAX_SIGMA = 5.0
_LEAST, _MOST = 1e-9, 1e9  # of speeds and rates: beyond, times no longer are what can be printed in ms


@dataclass(frozen=True, slots=True)
class Lognormal:
    """Factors around a median of 1 whose logarithm has the standard deviation `sigma`."""

    sigma: float

    def __post_init__(self) -> None:
        if not 0 < self.sigma <= _MAX_SIGMA:
            raise ValueError(f"expected a sigma above 0 and up to {_MAX_SIGMA:g}, found {self.sigma!r}")


def parse_speed(value: float | str) -> Speed:
    """Return the speed that a number or a word means.

    Raises ValueError for 0, negative numbers, nan and inf, what is below 1e-9 or above 1e9, and words other
    than "instant".
    """
    if value == "instant":
        return "instant"
    return _positive(value, "expected a positive number such as 1, 2.5 or 0.5, or 'instant'")


def parse_factor(value: float | str) -> float:
    """Return a speed that is a number."""
    return _positive(value, "expected a positive number such as 1, 2.5 or 0.5")


def parse_span(text: str) -> int:
    """Return a span of time such as `300ms` in ns."""
    found = _SPAN.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ValueError(f"expected a time with its unit such as 300ms, 1.5s or 2m, found {text!r}")
    return int(Fraction(found[1]) * _NS[found[2]])


def parse_rate(value: float | str) -> float:
    """Return a rate such as `50/s`, or the number alone, as how many in a second."""
    number = value.strip().removesuffix("/s") if isinstance(value, str) else value
    return _positive(number, "expected a positive rate such as 50/s", found=value)


def parse_jitter(text: str) -> Lognormal:
    """Return the distribution that `lognormal:SIGMA` means."""
    kind, _, sigma = text.partition(":") if isinstance(text, str) else ("", "", "")
    try:
        if kind == "lognormal":
            return Lognormal(float(sigma))
    except ValueError:
        pass
    raise ValueError(
        f"expected lognormal:SIGMA such as lognormal:0.2, with a sigma above 0 and up to {_MAX_SIGMA:g}, "
        f"found {text!r}"
    )


def _positive(value: float | str, expected: str, *, found: float | str | None = None) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    shown = value if found is None else found
    if isinstance(value, bool) or not (math.isfinite(number) and number > 0):
        raise ValueError(f"{expected}, found {shown!r}")
    if not _LEAST <= number <= _MOST:
        raise ValueError(f"{expected}, from {_LEAST:g} to {_MOST:g}, found {shown!r}")
    return number
