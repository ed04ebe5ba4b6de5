"""Text in figures: what strangers wrote is shown and never obeyed, and numbers have units.

Plotly takes some HTML tags and entities in any text, `%{...}` in templates, and `$...$` for mathematics.
The guarantee: none of them survives `shown`. Its result is never put into a template, only into data.
"""

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from html import escape
from textwrap import wrap

import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY

LINE_CHARS = 50
"""What fits into 360 px."""
NAME_CHARS = 30
"""Of a group's name: what a legend below a plot has room for on 360 px."""


def shown(text: object, max_chars: int = 60) -> str:
    """Return a stranger's text as plotly shows it letter by letter, cut in the middle if it is longer."""
    plain = "".join(
        letter if letter.isprintable() else _unprintable(letter) for letter in str(text)[: 4 * max_chars]
    )
    if len(plain) > max_chars:
        plain = f"{plain[: max_chars // 2]}…{plain[-(max_chars // 2 - 1) :]}"
    return escaped(plain)


def told_apart(names: Sequence[str], max_chars: int = NAME_CHARS) -> list[str]:
    """Return strangers' names as `shown`, cut so that names that differ are different."""
    found = [shown(name, max_chars) for name in names]
    for name in {each for each in found if found.count(each) > 1}:
        alike = [at for at, each in enumerate(found) if each == name]
        letters = enumerate(zip(*(names[at] for at in alike), strict=False))
        start = next((at for at, each in letters if len(set(each)) > 1), max_chars)
        for at in alike:
            found[at] = _around(names[at], start, max_chars)
    return found


def _around(name: str, start: int, max_chars: int) -> str:
    """Return the ends of a name, and between them what follows `start`."""
    head, tail = max_chars // 5, max_chars // 7
    room = max_chars - head - tail - 2
    last = len(name) - tail - room
    at = max(head, min(start, last))
    middle = name[at : at + room]
    before, after = ("…" if at > head else ""), ("…" if at < last else "")
    return shown(f"{name[:head]}{before}{middle}{after}{name[-tail:]}", max_chars)


def whole(text: object) -> str:
    """Return a stranger's text as `shown`, in lines that a hover on a phone has room for."""
    plain = "".join(letter if letter.isprintable() else _unprintable(letter) for letter in str(text)[:400])
    return "<br>".join(escaped(plain[at : at + 40]) for at in range(0, len(plain), 40))


def _unprintable(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")


def escaped(text: str) -> str:
    """Return text in which plotly finds no markup."""
    return escape(text, quote=False).replace("$", "&#36;").replace("%{", "%&#123;")


def lines(text: str, max_chars: int = LINE_CHARS) -> list[str]:
    """Return plain text in lines that fit into a narrow figure, each without markup."""
    return [escaped(line) for line in wrap(text, max_chars, break_on_hyphens=False)]


def number(value: float, metric: str) -> str:
    """Return a value of a metric with its unit, in three digits or so."""
    if metric.endswith("_ms"):
        return duration(value)
    plain = f"{value:,.0f}" if abs(value) >= 100 or float(value).is_integer() else f"{value:.3g}"
    return f"{plain} {unit(metric)}".rstrip()


def duration(ms: float) -> str:
    """Return milliseconds as one reads them: `0.08 ms`, `312 ms`, `1.24 s`, `3 min 5 s`."""
    if not math.isfinite(ms):
        return "-"
    if abs(ms) >= 120_000:
        minutes, seconds = divmod(round(ms / 1000), 60)
        return (
            f"{minutes:,}\N{NO-BREAK SPACE}min {seconds}\N{NO-BREAK SPACE}s"
            if seconds
            else f"{minutes:,}\N{NO-BREAK SPACE}min"
        )
    if abs(ms) >= 1_000:
        return f"{ms / 1000:.3g}\N{NO-BREAK SPACE}s"
    return f"{ms:.3g}\N{NO-BREAK SPACE}ms" if abs(ms) < 99.95 else f"{ms:.0f}\N{NO-BREAK SPACE}ms"


def unit(metric: str) -> str:
    """Return the unit of a metric, "" for a plain number."""
    if metric.endswith("_ms"):
        return "ms"
    if metric == "tokens_per_s":
        return "tokens/s"
    return "tokens" if metric.endswith("tokens") else ""


def count(n: int, thing: str) -> str:
    """Return `1 stream`, `2,345 streams`."""
    return f"{n:,} {thing}" if n == 1 else f"{n:,} {thing}s"


def left_out(missing: Mapping[str, int], thing: str = "stream") -> str:
    """Return how many are missing and why, or "" if none is."""
    if not missing:
        return ""
    why = ", ".join(f"{reason} {n:,}" for reason, n in sorted(missing.items(), key=lambda each: -each[1]))
    return f"Left out: {count(sum(missing.values()), thing)} ({why})."


def group_name(name: Hashable) -> str:
    """Return a group's name as plain text; None and NaN are groups of which the name is not known."""
    if isinstance(name, tuple):
        return " · ".join(group_name(each) for each in name)
    if name is None or pd.isna(name):  # type: ignore[call-overload]  # a scalar, whatever its type
        return "not known"
    return name.strftime("%Y-%m-%d %H:%M") if isinstance(name, pd.Timestamp) else str(name)


def names_of(table: pd.DataFrame) -> list[str]:
    """Return what a row of `streams`, `exchanges` or `events` is of, ready for a figure."""
    cassettes = {name: shown(_base(str(name)), 32) for name in table["cassette"].unique()}
    sections = bool((table["section"] != 0).any())
    choices: Iterable[object] = table["choice"] if "choice" in table else [0] * len(table)
    several = "choice" in table and bool((table["choice"].fillna(0) != 0).any())
    return [
        f"{cassettes[cassette]}"
        + (f" · section {section}" if sections else "")
        + f" · exchange {exchange}"
        + (f" · choice {choice}" if several else "")
        for cassette, section, exchange, choice in zip(
            table["cassette"], table["section"], table["exchange"], choices, strict=True
        )
    ]


def ids_of(table: pd.DataFrame) -> list[str]:
    """Return cassette, section, exchange and choice of each row, a line each, for `ids` of a trace.

    A page that opens streams finds them by it; plotly does not draw it. Where there is no choice it is 0.
    """
    columns = [table[name].astype("str") for name in EXCHANGE_KEY]
    choices: Iterable[object] = table["choice"].fillna(0) if "choice" in table else [0] * len(table)
    return ["\n".join(map(str, each)) for each in zip(*columns, choices, strict=True)]


def _base(path: str) -> str:
    return path.rstrip("/").rpartition("/")[2] or path
