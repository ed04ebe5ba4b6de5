"""Numbers that options take: `nan` is not less than the least, and `inf` is no length of time."""

from math import isfinite
from typing import Any

import click


class Finite(click.FloatRange):
    """A range of numbers that are finite."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found: float = super().convert(value, param, ctx)
        if not isfinite(found):
            self.fail(f"expected a number that is finite, found {value!r}", param, ctx)
        return found
