"""When each part of an answer is due: recorded times in, offsets from the complete request out.

Offsets are integer nanoseconds from the moment at which the server has the complete request, as the
recorded ones are from `Request.t_end`. Invariant: they are never negative and never decrease, whatever
the recording and the timing say, so pieces always leave in the order in which they arrived.

A schedule is a row of small generators, in the order in which they stand in `schedule`, over pairs of
a time and whatever is due then, or of the pause before it and whatever is due after it. Nothing here waits
or looks at a clock.
"""

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from random import Random
from statistics import NormalDist
from typing import TypeAlias, TypeVar

from tokentape.replay.timing._quantities import Lognormal
from tokentape.replay.timing._timing import Timing

T = TypeVar("T")
Timed: TypeAlias = Iterable[tuple[int, T]]
"""Pairs of a time (or a pause) in ns and what is due then."""

_NORMAL = NormalDist()


def schedule(
    timed: Timed[T],
    *,
    zero_ns: int,
    timing: Timing,
    first_token: int = 0,
    last_piece: int = 0,
    name: str = "",
) -> Iterator[tuple[int, T]]:
    """Yield (offset in ns, what is due) for pairs of (time in ns of the section, what arrived then).

    `zero_ns` is when the recorded request was complete. `first_token` and `last_piece` are positions in
    the row; what follows the last piece is the end of the answer. With jitter, each `name` has its own.
    """
    offsets = in_order(since(zero_ns, timed))
    if timing.speed == "instant":
        return at_once(offsets)
    if timing.start_at_ns:
        offsets = starting_at(timing.start_at_ns, offsets)
    if timing.max_gap_ns is not None:
        offsets = summed(capped(timing.max_gap_ns, pauses(offsets)))
    if timing.needs_first_token:
        ttft_speed, gap_speed = timing.ttft_speed or timing.speed, timing.gap_speed or timing.speed
        offsets = scaled_apart(ttft_speed, gap_speed, first_token, offsets)
    elif timing.speed != 1:
        offsets = scaled(timing.speed, offsets)
    if timing.ttft_ns is not None:
        offsets = first_token_at(timing.ttft_ns, first_token, offsets)
    if timing.pace is not None:
        offsets = paced(timing.pace, first_token, last_piece, offsets)
    if timing.jitter is not None:
        offsets = summed(varied(timing.jitter, Random(f"{timing.seed}/{name}"), pauses(offsets)))  # noqa: S311
    return delayed(timing.delay_ns, offsets) if timing.delay_ns else offsets


def since(zero_ns: int, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Count times from `zero_ns`."""
    for t, item in timed:
        yield t - zero_ns, item


def in_order(timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Raise times that are negative or before their predecessor's to the nearest that is not.

    An upstream may answer before the request is complete (an early error); a replay cannot, since it
    does not know which request it is before that.
    """
    latest = 0
    for t, item in timed:
        latest = max(latest, t)
        yield latest, item


def at_once(timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Make everything due at 0."""
    for _, item in timed:
        yield 0, item


def starting_at(start_ns: int, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Count times from `start_ns`. What came before it is due at 0: an answer is never without its head."""
    for t, item in timed:
        yield max(t - start_ns, 0), item


def pauses(timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Turn times into the pauses before them."""
    before = 0
    for t, item in timed:
        yield t - before, item
        before = t


def summed(paused: Timed[T]) -> Iterator[tuple[int, T]]:
    """Turn pauses into times again."""
    t = 0
    for pause, item in paused:
        t += pause
        yield t, item


def capped(limit_ns: int, paused: Timed[T]) -> Iterator[tuple[int, T]]:
    """Cut pauses that are longer than `limit_ns`."""
    for pause, item in paused:
        yield min(pause, limit_ns), item


def scaled(speed: float, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Divide times by `speed`, exactly and rounding down: the order of two times is never turned."""
    numerator, denominator = speed.as_integer_ratio()
    for t, item in timed:
        yield t * denominator // numerator, item


def scaled_apart(
    ttft_speed: float, gap_speed: float, first_token: int, timed: Timed[T]
) -> Iterator[tuple[int, T]]:
    """Divide times up to the first token by one speed and what is later than it by another, exactly."""
    ttft_times, ttft_over = ttft_speed.as_integer_ratio()
    gap_times, gap_over = gap_speed.as_integer_ratio()
    ttft = 0
    for position, (t, item) in enumerate(timed):
        if position <= first_token:
            ttft = t
        scaled_ns = ttft * ttft_over * gap_times + (t - ttft) * gap_over * ttft_times
        yield scaled_ns // (ttft_times * gap_times), item


def first_token_at(ttft_ns: int, first_token: int, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Make the first token due at `ttft_ns`.

    What comes before it keeps its share of the wait, or is due with it if there was no wait. What comes
    after it keeps its distance from it.
    """
    row = list(timed)
    ttft = row[min(first_token, len(row) - 1)][0] if row else 0
    for position, (t, item) in enumerate(row):
        if position <= first_token:
            yield t * ttft_ns // ttft if ttft else ttft_ns, item
        else:
            yield t - ttft + ttft_ns, item


def paced(rate: float, first_token: int, last_piece: int, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Make `rate` pieces a second due after the first token; the end goes with the last piece."""
    second = 1_000_000_000 / Fraction(rate)
    ttft = 0
    for position, (t, item) in enumerate(timed):
        if position <= first_token:
            ttft = t
            yield t, item
        else:
            pieces = max(min(position, last_piece) - first_token, 0)
            yield ttft + math.floor(pieces * second), item


def varied(jitter: Lognormal, random: Random, paused: Timed[T]) -> Iterator[tuple[int, T]]:
    """Multiply each pause by a factor of its own, the same for a `random` of the same seed.

    The factors come from random bits by a formula: the standard library may change how it draws from
    a distribution, and a seed is to mean the same on every version.
    """
    for pause, item in paused:
        uniform = (random.getrandbits(52) + 0.5) / (1 << 52)
        numerator, denominator = math.exp(jitter.sigma * _NORMAL.inv_cdf(uniform)).as_integer_ratio()
        yield pause * numerator // denominator, item


def delayed(delay_ns: int, timed: Timed[T]) -> Iterator[tuple[int, T]]:
    """Add `delay_ns` to all times."""
    for t, item in timed:
        yield t + delay_ns, item
