"""The comparison of two recordings as rows of text, with each interval as a bar.

The invariant: nothing is computed here but where a bar stands, and all bars of a table are on one scale.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis.comparing._change import is_negligible
from tokentape.analysis.report._terms import COUNTS, LABELS
from tokentape.analysis.report._text import MISSING, number, percent, shown
from tokentape.analysis.report._views import NO_VALUE
from tokentape.cassette import counted

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tokentape.analysis.comparing._comparison import Comparison

_WIDTH = 160
_MOST_PCT = 200.0
"""The scale of bars ends here; what is beyond is cut, and its numbers stand beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One quantile of one metric in both recordings."""

    group: str
    metric: str
    quantile: str
    cells: tuple[str, ...]
    """A, B, and how many requests each is of."""
    change: str
    interval: str
    why: str | None
    """Why there is no interval."""
    verdict: str
    """`slower`, `faster` or nothing: what the interval of this one number shows by itself."""
    bar: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """How likely a request of B is slower than one of A."""

    group: str
    metric: str
    probability: str
    interval: str
    why: str | None
    delta: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """How many requests of a group failed in both, of those of which the end is known."""

    group: str
    cells: tuple[tuple[str, str], ...]
    """A and B: how many of how many, and that in percent; "" where there is no request."""
    change: str
    interval: str
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A comparison: its verdict, and what it is from. `by` is what the rows are grouped by, "" if nothing."""

    by: str
    verdict: str
    changes: list[Change]
    failed: list[Failed]
    sentence: str
    """`failed` of everything; "" where there are groups, or one of the two has no request."""
    effects: list[Effect]

    @property
    def unsure(self) -> set[str]:
        """Why something has no interval."""
        return {row.why for rows in (self.changes, self.failed, self.effects) for row in rows if row.why}


def compared(by: str, found: "Comparison") -> Compared:
    """Return a comparison as text; it was grouped by this, or by nothing."""
    return Compared(
        by=by,
        verdict=found.verdict,
        changes=changes(found.quantiles),
        failed=failed(found.failures),
        sentence="" if by else failures(found.failures),
        effects=effects(found.effects),
    )


def changes(quantiles: pd.DataFrame) -> list[Change]:
    """Return a row for each row of a comparison's quantiles."""
    table = quantiles.reset_index()
    group = _grouping(quantiles)
    ends = table[["low_pct", "high_pct"]].abs().clip(upper=_MOST_PCT).max().max()
    scale = 10.0 if pd.isna(ends) else max(10.0, float(ends))
    return [_change(row, group, scale) for row in table.to_dict("records") if row["metric"] in LABELS]


def _grouping(table: pd.DataFrame) -> "list[Hashable]":
    return [name for name in table.index.names if name not in ("metric", "quantile", "group")]


def _named(row: "dict[Hashable, Any]", group: "Sequence[Hashable]") -> str:
    return " / ".join(NO_VALUE if pd.isna(row[name]) else shown(row[name], 60) for name in group)


def _change(row: "dict[Hashable, Any]", group: "Sequence[Hashable]", scale: float) -> Change:
    low, high = row["low_pct"], row["high_pct"]
    is_known = pd.notna(low) and pd.notna(high)
    return Change(
        group=_named(row, group),
        metric=row["metric"],
        quantile=row["quantile"],
        cells=(_number(row, "a"), _number(row, "b"), f"{row['n_a']:,} / {row['n_b']:,}"),
        change=percent(row["change_pct"]),
        interval=f"{percent(low)} to {percent(high)}" if is_known else f"none: {row['why']}",
        why=None if is_known else row["why"],
        verdict=_shown_by(row) if is_known else "",
        bar=_bar(row["change_pct"], low, high, scale) if is_known else "",
    )


def _number(row: "dict[Hashable, Any]", side: str) -> str:
    return number(row[side], is_count=row["metric"] in COUNTS)


def _shown_by(row: "dict[Hashable, Any]") -> str:
    metric, low, high = row["metric"], row["low_pct"], row["high_pct"]
    if metric == "output_tokens" or low <= 0 <= high:
        return ""
    if is_negligible(metric, row["change"], row["change_pct"]):
        return ""
    return "slower" if (low > 0) != (metric == "tokens_per_s") else "faster"


def _bar(change: float, low: float, high: float, scale: float) -> str:
    def place(value: float) -> float:
        return round(_WIDTH / 2 * (1 + min(1.0, max(-1.0, value / scale))), 1)

    return (
        f'<svg class="interval" viewBox="0 0 {_WIDTH} 14" aria-hidden="true">'
        f'<path class="zero" d="M{_WIDTH // 2} 0V14"/>'
        f'<path class="range" d="M{place(low)} 7H{place(high)}"/>'
        f'<circle cx="{place(change)}" cy="7" r="3.5"/></svg>'
    )


def effects(table: pd.DataFrame) -> list[Effect]:
    """Return a row for each metric that both have, of each group."""
    group = _grouping(table)
    found = []
    for row in table.reset_index().to_dict("records"):
        if row["metric"] not in LABELS or pd.isna(row["prob_b_slower"]):
            continue
        is_known = pd.notna(row["low"])
        found.append(
            Effect(
                group=_named(row, group),
                metric=row["metric"],
                probability=f"{row['prob_b_slower']:.2f}",
                interval=f"{row['low']:.2f} to {row['high']:.2f}" if is_known else f"none: {row['why']}",
                why=None if is_known else row["why"],
                delta=f"{round(row['cliffs_delta'], 2) + 0.0:+.2f}",
            )
        )
    return found


def failed(table: pd.DataFrame) -> list[Failed]:
    """Return a row for each group; what is a quantile's change elsewhere is one in points here."""
    group = _grouping(table)
    return [_failed(row, group) for row in table.reset_index().to_dict("records")]


def _failed(row: "dict[Hashable, Any]", group: "Sequence[Hashable]") -> Failed:
    low, high = row["low_points"], row["high_points"]
    is_known = pd.notna(low) and pd.notna(high)
    cells = (
        (f"{row[f'failed_{side}']:,} of {row[f'n_{side}']:,}", f"({row[f'{side}_pct']:.1f}%)")
        if row[f"n_{side}"]
        else (MISSING, "")
        for side in "ab"
    )
    return Failed(
        group=_named(row, group),
        cells=tuple(cells),
        change=f"{row['change_points']:+.1f}" if is_known else MISSING,
        interval=f"{low:+.1f} to {high:+.1f}" if is_known else f"none: {row['why']}",
        why=None if is_known else row["why"],
    )


def failures(table: pd.DataFrame) -> str:
    """Return how many requests failed in both, as a sentence; "" where one of them has none."""
    (row,) = table.to_dict("records")
    if not row["n_a"] or not row["n_b"]:
        return ""
    low, high = row["low_points"], row["high_points"]
    interval = f" (95% interval {low:+.1f} to {high:+.1f})" if pd.notna(low) and pd.notna(high) else ""
    return (
        f"Failed: {row['failed_a']:,} of {counted(row['n_a'], 'request', grouped=True)} of A "
        f"({row['a_pct']:.1f}%), {row['failed_b']:,} of {row['n_b']:,} of B ({row['b_pct']:.1f}%): "
        f"{row['change_points']:+.1f} points{interval}."
    )
