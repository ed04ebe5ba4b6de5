"""What a replay makes of recorded times, as one value. `_schedule` applies it.

Invariant: a `Timing` that exists makes sense. Whatever contradicts itself is refused where it is made, for
the library and the command alike, and nowhere else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from tokentape.replay.timing._quantities import (
    Lognormal,
    Speed,
    parse_factor,
    parse_jitter,
    parse_rate,
    parse_span,
    parse_speed,
)


class WrongTiming(ValueError):
    """A timing that makes no sense; `option` is the one to change, and `reason` says why."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}")
        self.option = option
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Rules for the times of answers; by default they are the recorded ones.

    `speed` says how many times faster than recorded; `ttft_speed` says it instead for what comes up to the
    first token, and `gap_speed` for what comes after it. `ttft_ns` and `pace` (pieces a second) take the
    place of the recorded times before and after the first token. `max_gap_ns` cuts the recorded pauses.
    `jitter` varies every pause, the same for the same `seed`. What was recorded before `start_at_ns` is due
    at once. `delay_ns` is added to all. `docs/replaying.md` says in which order they are applied.

    Raises `WrongTiming`, a ValueError, for what is out of range or contradicts itself.
    """

    speed: Speed = 1.0
    ttft_speed: float | None = None
    gap_speed: float | None = None
    ttft_ns: int | None = None
    pace: float | None = None
    max_gap_ns: int | None = None
    jitter: Lognormal | None = None
    seed: int = 0
    start_at_ns: int = 0
    delay_ns: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "speed", _checked("speed", parse_speed, self.speed))
        for name, parse in (("ttft_speed", parse_factor), ("gap_speed", parse_factor), ("pace", parse_rate)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, _checked(name, parse, value))
        for name in ("ttft_ns", "max_gap_ns", "start_at_ns", "delay_ns"):
            value = getattr(self, name)
            if value is None and name in ("ttft_ns", "max_gap_ns"):
                continue
            if not _is_integer(value) or value < 0:
                raise WrongTiming(name, f"expected a number of ns that is not negative, found {value!r}")
        if self.jitter is not None and not isinstance(self.jitter, Lognormal):
            raise WrongTiming("jitter", f"expected a Lognormal such as Lognormal(0.2), found {self.jitter!r}")
        if not _is_integer(self.seed):
            raise WrongTiming("seed", f"expected an integer, found {self.seed!r}")
        self._refuse_contradictions()

    @classmethod
    def of(
        cls,
        *,
        speed: float | str = 1.0,
        ttft_speed: float | str | None = None,
        gap_speed: float | str | None = None,
        ttft: str | None = None,
        pace: float | str | None = None,
        max_gap: str | None = None,
        jitter: str | None = None,
        seed: int | None = None,
        start_at: str | None = None,
        delay: str | None = None,
    ) -> Self:
        """Return a timing from values as they are written on the command line.

        ::

            Timing.of(speed=2, ttft="300ms", max_gap="1s", jitter="lognormal:0.2", seed=7)
        """
        if seed is not None and jitter is None:
            raise _seed_alone()
        return cls(
            speed=_checked("speed", parse_speed, speed),
            ttft_speed=_if_given("ttft_speed", parse_factor, ttft_speed),
            gap_speed=_if_given("gap_speed", parse_factor, gap_speed),
            ttft_ns=_if_given("ttft", parse_span, ttft),
            pace=_if_given("pace", parse_rate, pace),
            max_gap_ns=_if_given("max_gap", parse_span, max_gap),
            jitter=_if_given("jitter", parse_jitter, jitter),
            seed=0 if seed is None else seed,
            start_at_ns=_if_given("start_at", parse_span, start_at) or 0,
            delay_ns=_if_given("delay", parse_span, delay) or 0,
        )

    @classmethod
    def chosen(cls, speed: Speed | None, timing: Self | None) -> Self:
        """Return the timing of a function that takes a `timing`, or a `speed` as its short form."""
        if timing is None:
            return cls(speed=1.0 if speed is None else speed)
        if not isinstance(timing, cls):
            raise WrongTiming("timing", f"expected a Timing such as Timing.of(ttft='1s'), found {timing!r}")
        if speed is not None:
            raise WrongTiming("speed", "expected either speed or timing, found both; timing has a speed")
        return timing

    @property
    def needs_first_token(self) -> bool:
        """Whether it treats what comes up to the first token and what comes after it apart."""
        apart = (self.ttft_speed, self.gap_speed, self.ttft_ns, self.pace)
        return any(value is not None for value in apart)

    def _refuse_contradictions(self) -> None:
        before, after = (
            [name for name in names if getattr(self, name) is not None]
            for names in (("ttft_ns", "ttft_speed"), ("pace", "gap_speed"))
        )
        if self.seed and self.jitter is None:
            raise _seed_alone()
        given = [*before, *after]
        given += [name for name in ("max_gap_ns", "jitter") if getattr(self, name) is not None]
        given += [name for name in ("start_at_ns", "delay_ns") if getattr(self, name)]
        if self.speed == "instant" and given:
            raise _contradiction("speed instant", given[0], "instant waits for nothing")
        if len(before) > 1:
            raise _contradiction(before[0], before[1], "a fixed time is not scaled")
        if len(after) > 1:
            raise _contradiction(after[0], after[1], "a fixed pace is not scaled")
        if before and after and self.speed != 1:
            raise _contradiction("speed", before[0], f"with {_spelled(after[0])} nothing is left for speed")
        for name in ("ttft_ns", "pace"):
            if self.start_at_ns and getattr(self, name) is not None:
                raise _contradiction("start_at_ns", name, "one counts recorded times, the other ignores them")


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seed_alone() -> WrongTiming:
    return WrongTiming("seed", "expected jitter beside it, found none: nothing else is left to chance")


def _spelled(name: str) -> str:
    return name.removesuffix("_ns").replace("_", "-")


def _contradiction(one: str, other: str, why: str) -> WrongTiming:
    both = f"{_spelled(one)} or {_spelled(other)}"
    return WrongTiming(other.removesuffix("_ns"), f"expected either {both}, found both; {why}")


def _checked(name: str, parse: Callable[[Any], Any], value: object) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise WrongTiming(name, str(error)) from None


def _if_given(name: str, parse: Callable[[Any], Any], value: object) -> Any:
    return None if value is None else _checked(name, parse, value)
