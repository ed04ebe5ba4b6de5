"""One look at a cassette from front to back, in constant memory: what `info` and `verify` tell of."""

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass

from tokentape import cassette
from tokentape.cassette import Damage, Request, Survey, Verdict, Verification


@dataclass(frozen=True, slots=True)
class Examination:
    """What was found. `size` is that of the file as it lies on the disk, None for a pipe."""

    path: str
    size: int | None
    compressed: bool
    damage: list[Damage]
    survey: Survey
    verification: Verification
    is_newer: bool
    """Whether the damage at its end is a section of a version that is not known."""

    @property
    def verdict(self) -> Verdict:
        """The worst that is true of the file."""
        return self.verification.verdict(self.damage)


def examine(path: str, model_of: Callable[[Request], str | None] = lambda _: None) -> Examination:
    """Read a cassette as far as there is any of it. Raises `CassetteError` if it is none."""
    survey, verification = Survey(model_of), Verification()
    with cassette.open(path, lenient=True) as tape:
        for entry in tape.entries():
            survey.add(entry)
            verification.add(entry)
        size = _size(path)
        survey.finish()
        verification.finish()
        return Examination(
            path, size, tape.compressed, tape.damage, survey, verification, tape.newer is not None
        )


def _size(path: str) -> int | None:
    try:
        found = os.fstat(sys.stdin.fileno()) if path == "-" else os.stat(path)
    except (OSError, ValueError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None
