"""Numbers and strangers' texts, as the page shows them.

The guarantee: what comes out can be encoded and printed, and no letter of it is invisible or turns others
around. It is not escaped for HTML; the template does that to all that it is given.
"""

import math
from typing import Any

import pandas as pd

MISSING = "-"
"""What stands in a cell that has no number; the reason is printed elsewhere."""


def shown(text: object, most: int | None = None) -> str:
    r"""Return the text with `\x1b` and the like for what cannot be shown, and no longer than `most`."""
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in str(text)
    )
    return plain if most is None or len(plain) <= most else f"{plain[: most - 3]}..."


def number(value: Any, *, is_count: bool = False) -> str:
    """Return a number with as many places as can matter: 3.14, 361.3, 1,708; a whole count has none."""
    if value is None or pd.isna(value) or not math.isfinite(value):
        return MISSING
    if is_count and float(value).is_integer():
        return f"{int(value):,}"
    size = abs(value)
    return f"{value:,.2f}" if size < 10 else f"{value:,.1f}" if size < 1000 else f"{value:,.0f}"


def duration(ms: float) -> str:
    """Return a time with its unit, as in a sentence: 361 ms, 1.71 s, 9 min 40 s, 3 h 20 min."""
    if ms < 1:
        return f"{ms:.2f} ms"
    if ms < 10:
        return f"{ms:.1f} ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    seconds = ms / 1000
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"


def percent(value: float) -> str:
    """Return a change, with its sign."""
    return MISSING if pd.isna(value) else f"{value:+,.1f}%"


def counts(names: "pd.Series[Any]") -> list[tuple[str, int]]:
    """Return how often each name occurs, the commonest first; what is missing does not count."""
    found = names.dropna().astype("str").value_counts()
    return sorted(
        ((str(name), int(count)) for name, count in found.items() if count),
        key=lambda each: (-each[1], each[0]),
    )
