"""A fault: what is done to answers, and to which of them. `str` spells it as `parse_fault` reads it.

Invariant: a `Fault` that exists makes sense, and `parse_fault(str(fault)) == fault`.
"""

import re
from dataclasses import dataclass, field
from typing import TypeAlias

from tokentape.replay.faults._effects import MAX_COUNT, Effect

_PATTERN = re.compile(r"[^,\x00-\x20\x7f-\xa0](?:[^,\x00-\x1f\x7f-\xa0]*[^,\x00-\x20\x7f-\xa0])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Which requests a fault hits. By default all that are answered from the recording.

    `model` and `path` (without its query) are patterns with `*`, `?` and `[...]`, upper and lower case apart;
    `*` is any text, slashes too. Of the requests that fit both, `nth` is the number of the one, from 1, and
    each is hit with `probability`, the same ones for the same `seed`. After `times` hits it is over.

    Raises ValueError for what makes no sense.
    """

    model: str | None = None
    path: str | None = None
    nth: int | None = None
    times: int | None = None
    probability: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, pattern in (("model", self.model), ("path", self.path)):
            if pattern is not None and not _PATTERN.fullmatch(pattern):
                raise ValueError(
                    f"{name}: expected a pattern without commas and control characters, found {pattern!r}; "
                    "? stands for any character"
                )
        for name, number in (("nth", self.nth), ("times", self.times)):
            if number is not None and not (isinstance(number, int) and 1 <= number <= MAX_COUNT):
                raise ValueError(f"{name}: expected a whole number from 1 on, found {number!r}")
        if not 0 < self.probability <= 1:
            raise ValueError(f"p: expected a probability above 0 and up to 1, found {self.probability!r}")
        if not 0 <= self.seed <= MAX_COUNT:
            raise ValueError(f"seed: expected a whole number from 0 on, found {self.seed!r}")
        if self.seed and self.probability == 1:
            raise ValueError("seed: expected p beside it, such as p=0.1: nothing else is left to chance")

    def __str__(self) -> str:
        given = ((name, getattr(self, name)) for name in ("model", "path", "nth", "times"))
        words = [f"{name}={value}" for name, value in given if value is not None]
        words += [f"p={self.probability!r}"] if self.probability != 1 else []
        words += [f"seed={self.seed}"] if self.seed else []
        return ",".join(words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An effect on the answers to the requests of a scope."""

    effect: Effect
    scope: Scope = field(default_factory=Scope)

    def __str__(self) -> str:
        return ",".join(filter(None, [str(self.effect), str(self.scope)]))


Faulty: TypeAlias = Fault | str
"""A fault, or its spelling."""
