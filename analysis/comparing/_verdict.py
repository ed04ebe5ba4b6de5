"""What may be said of a comparison in one sentence: no more than its intervals, and not only the good half.

The verdict is about the medians of TTFT, ITL and E2E, the tokens of an answer (without which E2E cannot be
understood), how many requests failed (without which no latency can) and how many have none of these times
though they did not fail. Whatever it calls different is so at 95% for all of these and all groups together:
each is asked at 5% / their number (Bonferroni's inequality). What is less than a recording can show
(`_change.is_negligible`) is no difference, and where draws do not vary there is no interval to speak of.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tokentape.analysis.comparing._bootstrap import MIN_BEYOND
from tokentape.analysis.comparing._change import LEVEL, is_negligible
from tokentape.analysis.summarising._grouping import group_words

Row: TypeAlias = dict[str, Any]

JUDGED = ("ttft_ms", "itl_ms", "e2e_ms")
"""The metrics of which the verdict says slower or faster."""
LENGTH = "output_tokens"
_QUESTIONS = 2 * len(JUDGED) + 2
"""What is asked of a group: of each of these how large it is and how often it is there; length; failures."""


def level_of(groups: int) -> float:
    """Return at what level each question is asked if there are so many groups."""
    return LEVEL / (_QUESTIONS * max(1, groups))


def verdict(
    medians: Sequence[Row],
    failed: Sequence[Row],
    by: Sequence[str],
    left_out: Sequence[str],
    level: float,
    counting: Sequence[str] = (),
    lacking: Sequence[Row] = (),
) -> str:
    """Return the sentence.

    `medians` has the rows of medians of all metrics, `failed` a row for each group, `lacking` those of
    `_lacking`, all with the columns of `by`; `left_out` says which groups are in A or B only, `counting`
    where tokens are counted differently.
    """
    judged = [row for row in medians if row["metric"] in JUDGED and _known(row)]
    told = [_told(row, _longer(row, medians, by), by) for row in judged if _differs(row)]
    failing = [_failing(row, by, sure=row["p_value"] <= level) for row in failed if _any_failed(row)]
    surely_failing = any(row["p_value"] <= level for row in failed)
    without = [_without(row, by) for row in lacking if row["p_value"] <= level]
    parts = [*told, *without, *failing]
    if told or surely_failing or without:
        said = f"B differs from A: {'; '.join(parts)}"
        only = ["did not fail"] * surely_failing + ["have them"] * bool(without)
        if only and judged:
            said += f"; times are only of requests that {' and '.join(only)}"
    elif judged:
        said = (
            "No difference is shown between A and B; that is not to say there is none: "
            f"{_may_have_changed(judged, by)}"
        )
        said = "; ".join([said, *failing])
    elif left_out and all(row["why"] in _ONE_SIDED for row in failed):
        said = f"Nothing to compare: {'; '.join(left_out)}"
        left_out = ()
    else:
        said = (
            f"Too little to say: a median needs at least {2 * MIN_BEYOND} requests on each side that have "
            "the metric"
        )
        said = "; ".join([said, *failing])
    return f"{'; '.join([said, *counting, *left_out])}."


def in_group(group: Mapping[str, Any]) -> str:
    """Return which group something is about, to stand behind it; "" where there are none."""
    return f" ({group_words(group)})" if group else ""


_ONE_SIDED = ("only-in-a", "only-in-b")


def _known(row: Row) -> bool:
    return bool(row["_low"] == row["_low"])


def _differs(row: Row) -> bool:
    if is_negligible(row["metric"], row["change"], row["change_pct"]):
        return False
    # Of a change from 0 there is no percentage, and it is one all the same.
    low, high = (row[end] if row["why"] == "zero" else row[f"{end}_pct"] for end in _STRICT)
    return bool(low > 0 or high < 0)


_STRICT = ("_low", "_high")


def _may_have_changed(judged: Sequence[Row], by: Sequence[str]) -> str:
    """Return how large a change that is not shown may be: that of the widest interval."""
    in_percent = [row for row in judged if row["why"] is None]
    if in_percent:
        ends = ("low_pct", "high_pct")
        widest = max(in_percent, key=lambda row: float(row["high_pct"] - row["low_pct"]))
    else:
        ends = ("change_low", "change_high")
        widest = max(judged, key=lambda row: float(row["change_high"] - row["change_low"]))
    low, high = (widest[end] for end in ends)
    if high - low < _PRINTED and abs(low) < _PRINTED:
        return "the medians are the same in every draw of requests"
    unit = "%" if in_percent else " ms"
    return (
        f"the median of {widest['metric']}{_where(widest, by)} may have changed by {_range(low, high, unit)}"
    )


_PRINTED = 0.05
"""What is less is printed as 0.0."""


def _longer(row: Row, medians: Sequence[Row], by: Sequence[str]) -> str:
    """Return a note for the last token's time if answers are longer or shorter."""
    for each in medians if row["metric"] == "e2e_ms" else ():
        same_group = all(each[name] is row[name] or each[name] == row[name] for name in by)
        if each["metric"] == LENGTH and same_group and _known(each) and _differs(each):
            longer = "longer" if each["change"] > 0 else "shorter"
            percent = each["change_pct"]
            by_how_much = f"{percent:+.1f}%" if percent == percent else f"{each['change']:+g}"  # noqa: PLR0124  (NaN)
            return f", with answers that are {longer} (median {by_how_much} tokens)"
    return ""


def _told(row: Row, note: str, by: Sequence[str]) -> str:
    way = "slower" if row["change"] > 0 else "faster"
    if row["change_pct"] == row["change_pct"]:
        change, low, high, unit = row["change_pct"], row["low_pct"], row["high_pct"], "%"
    else:
        change, low, high, unit = row["change"], row["change_low"], row["change_high"], " ms"
    if high - low < _NO_WIDTH * abs(change):
        interval = "the same in every draw of requests: no interval"
    else:
        interval = f"95% interval {_range(low, high, unit)}"
    from_zero = " from 0" if unit == " ms" and row["a"] == 0 else ""
    return f"{row['metric']}{_where(row, by)} {way}, median {change:+.1f}{unit}{from_zero} ({interval}){note}"


_NO_WIDTH = 1e-9
"""Of the change itself: what is left of rounding where all draws are equal."""


def _without(row: Row, by: Sequence[str]) -> str:
    more = "more" if row["lacks_b"] * row["n_a"] > row["lacks_a"] * row["n_b"] else "fewer"
    *others, last = row["metrics"]
    names = f"{', '.join(others)} and {last}" if others else last
    return (
        f"{more} requests without {names}{_where(row, by)}, though they did not fail: "
        f"{row['lacks_b']} of {row['n_b']} of B, {row['lacks_a']} of {row['n_a']} of A "
        f"(95% interval {_range(row['low_points'], row['high_points'], ' points')})"
    )


def _any_failed(row: Row) -> bool:
    return bool(row["failed_a"] or row["failed_b"])


def _failing(row: Row, by: Sequence[str], *, sure: bool) -> str:
    if row["why"] is not None:
        side = "b" if row["n_b"] else "a"
        counts = f"{row[f'failed_{side}']} of {row[f'n_{side}']} requests of {side.upper()} failed"
        return f"{counts}{_where(row, by)}"
    counts = f"{row['failed_b']} of {row['n_b']} requests of B failed, {row['failed_a']} of {row['n_a']} of A"
    if sure:
        points = _range(row["low_points"], row["high_points"], " points")
        more = "more" if row["change_points"] > 0 else "fewer"
        return f"{more} requests fail{_where(row, by)}: {counts} (95% interval {points})"
    same = row["change_points"] == 0
    return f"{counts}{_where(row, by)}{'' if same else ', which may be chance'}"


def _where(row: Row, by: Sequence[str]) -> str:
    return in_group({name: row[name] for name in by})


def _range(low: float, high: float, unit: str = "%") -> str:
    return f"{low:+.1f}{unit} to {high:+.1f}{unit}"
