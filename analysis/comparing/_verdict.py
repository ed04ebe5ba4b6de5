"""What may be said of a comparison in one sentence: no more than its intervals, and not only the good half.

The verdict is about the medians of TTFT, ITL and E2E, the tokens of an answer (without which E2E cannot be
understood) and how many requests failed (without which no latency can). Whatever it calls different is so at
95% for all of these and all groups together: each is asked at 5% / their number (Bonferroni's inequality).
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tokentape.analysis.comparing._bootstrap import MIN_BEYOND
from tokentape.analysis.comparing._change import LEVEL
from tokentape.analysis.summarising._grouping import group_words

Row: TypeAlias = dict[str, Any]

JUDGED = ("ttft_ms", "itl_ms", "e2e_ms")
"""The metrics of which the verdict says slower or faster."""
LENGTH = "output_tokens"


def level_of(groups: int) -> float:
    """Return at what level each question is asked if there are so many groups."""
    return LEVEL / ((len(JUDGED) + 2) * max(1, groups))


def verdict(
    medians: Sequence[Row],
    failed: Sequence[Row],
    by: Sequence[str],
    left_out: Sequence[str],
    level: float,
    counting: Sequence[str] = (),
) -> str:
    """Return the sentence.

    `medians` has the rows of medians of all metrics, `failed` a row for each group, both with the columns
    of `by`; `left_out` says which groups are in A or B only, `counting` where tokens are counted differently.
    """
    judged = [row for row in medians if row["metric"] in JUDGED and _known(row)]
    told = [_told(row, _longer(row, medians, by), by) for row in judged if _differs(row)]
    failing = [_failing(row, by, sure=row["p_value"] <= level) for row in failed if _any_failed(row)]
    surely_failing = any(row["p_value"] <= level for row in failed)
    parts = [*told, *failing]
    if told or surely_failing:
        said = f"B differs from A: {'; '.join(parts)}"
        if surely_failing and judged:
            said += "; times are only of requests that did not fail"
    elif judged:
        widest = max(judged, key=lambda row: float(row["high_pct"] - row["low_pct"]))
        said = (
            "No difference is shown between A and B; that is not to say there is none: the median of "
            f"{widest['metric']}{_where(widest, by)} may have changed by "
            f"{_range(widest['low_pct'], widest['high_pct'])}"
        )
        said = "; ".join([said, *failing])
    elif left_out and not medians:
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


def _known(row: Row) -> bool:
    return bool(row["_low"] == row["_low"])


def _differs(row: Row) -> bool:
    return bool(row["_low"] > 0 or row["_high"] < 0)


def _longer(row: Row, medians: Sequence[Row], by: Sequence[str]) -> str:
    """Return a note for the last token's time if answers are longer or shorter."""
    for each in medians if row["metric"] == "e2e_ms" else ():
        same_group = all(each[name] is row[name] or each[name] == row[name] for name in by)
        if each["metric"] == LENGTH and same_group and _known(each) and _differs(each):
            longer = "longer" if each["_low"] > 0 else "shorter"
            return f", with answers that are {longer} (median {each['change_pct']:+.1f}% tokens)"
    return ""


def _told(row: Row, note: str, by: Sequence[str]) -> str:
    way = "slower" if row["_low"] > 0 else "faster"
    return (
        f"{row['metric']}{_where(row, by)} {way}, median {row['change_pct']:+.1f}% "
        f"(95% interval {_range(row['low_pct'], row['high_pct'])}){note}"
    )


def _any_failed(row: Row) -> bool:
    return bool(row["failed_a"] or row["failed_b"]) and row["why"] is None


def _failing(row: Row, by: Sequence[str], *, sure: bool) -> str:
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
