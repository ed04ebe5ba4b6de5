"""When each piece of an answer is due: recorded times in, offsets from the complete request out.

Offsets are integer nanoseconds from the moment at which the server has the complete request, as the
recorded ones are from `Request.t_end`. Invariant: they are never negative and never decrease, whatever
the recording says, so pieces always leave in the order in which they arrived.

A schedule is a row of small generators over pairs of a time and whatever is due then; another rule of
timing is another generator in the row. Nothing here waits or looks at a clock.
"""

import math
from collections.abc import Iterable, Iterator
from typing import Literal, TypeAlias, TypeVar

T = TypeVar("T")
Speed: TypeAlias = float | Literal["instant"]
"""How many times faster than recorded, a positive finite number; or "instant", without any waiting."""


def schedule(timed: Iterable[tuple[int, T]], *, zero_ns: int, speed: Speed) -> Iterator[tuple[int, T]]:
    """Yield (offset in ns, what is due) for pairs of (time in ns of the section, what arrived then).

    `zero_ns` is when the recorded request was complete. Raises ValueError as `parse_speed` does.
    """
    speed = parse_speed(speed)
    offsets = in_order(since(zero_ns, timed))
    return at_once(offsets) if speed == "instant" else scaled(speed, offsets)


def since(zero_ns: int, timed: Iterable[tuple[int, T]]) -> Iterator[tuple[int, T]]:
    """Count times from `zero_ns`."""
    for t, item in timed:
        yield t - zero_ns, item


def in_order(timed: Iterable[tuple[int, T]]) -> Iterator[tuple[int, T]]:
    """Raise times that are negative or before their predecessor's to the nearest that is not.

    An upstream may answer before the request is complete (an early error); a replay cannot, since it
    does not know which request it is before that.
    """
    latest = 0
    for t, item in timed:
        latest = max(latest, t)
        yield latest, item


def scaled(speed: float, timed: Iterable[tuple[int, T]]) -> Iterator[tuple[int, T]]:
    """Divide times by `speed`, exactly and rounding down: the order of two times is never turned."""
    numerator, denominator = speed.as_integer_ratio()
    for t, item in timed:
        yield t * denominator // numerator, item


def at_once(timed: Iterable[tuple[int, T]]) -> Iterator[tuple[int, T]]:
    """Make everything due at 0."""
    for _, item in timed:
        yield 0, item


def parse_speed(value: float | str) -> Speed:
    """Return the speed that a number or a word means.

    Raises ValueError, with what is expected and what was found, for 0, negative numbers, nan and inf,
    and words other than "instant".
    """
    if value == "instant":
        return "instant"
    try:
        speed = float(value)
    except (ValueError, OverflowError):
        speed = math.nan
    if not (math.isfinite(speed) and speed > 0):
        raise ValueError(f"expected a positive number such as 1, 2.5 or 0.5, or 'instant', found {value!r}")
    return speed
