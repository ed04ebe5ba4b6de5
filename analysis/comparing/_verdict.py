"""What may be said of a comparison in one sentence: no more than its intervals, and not only the good half.

The verdict is about the median, p90 and p99 of TTFT, ITL and E2E, each where there are enough requests for an
interval, the tokens of an answer (without which E2E cannot be understood), how many requests failed (without
which no latency can) and how many have none of these times though they did not fail. Whatever it calls
different is so at 95% for all of these and all groups together: each is asked at 5% / their number
(Bonferroni's inequality). What cannot have an interval is not asked, which is known from numbers of values
alone, and so does not depend on what is found. What is less than a recording can show
(`_change.is_negligible`) is no difference, and where draws do not vary there is no interval to speak of.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any, TypeAlias

from tokentape.analysis.comparing._bootstrap import MIN_BEYOND, values_beyond
from tokentape.analysis.comparing._change import LEVEL, QUANTILES, is_negligible
from tokentape.analysis.summarising._grouping import group_words

Row: TypeAlias = dict[str, Any]

JUDGED = ("ttft_ms", "itl_ms", "e2e_ms")
"""The metrics of which the verdict says slower or faster."""
LENGTH = "output_tokens"
_ALWAYS = len(JUDGED) + 1
"""What is asked of any group: how often each of these is there, and failures."""
_MEDIAN = "p50"


def questions(values: Mapping[str, int]) -> int:
    """Return how many questions are asked of a group; `values`: the fewest of either side, by metric."""
    asked = (
        values_beyond(n, quantile) >= MIN_BEYOND for n in values.values() for quantile in QUANTILES.values()
    )
    return _ALWAYS + sum(asked)


def level_of(asked: Iterable[int]) -> float:
    """Return at what level each question is asked, if there are so many of each group."""
    return LEVEL / max(1, sum(asked))


def verdict(
    quantiles: Sequence[Row],
    failed: Sequence[Row],
    by: Sequence[str],
    left_out: Sequence[str],
    level: float,
    counting: Sequence[str] = (),
    lacking: Sequence[Row] = (),
) -> str:
    """Return the sentence.

    `quantiles` has the rows of all metrics in order of groups, `failed` a row for each group, `lacking` those
    of `_lacking`, all with the columns of `by`; `left_out` says which groups are in A or B only, `counting`
    where tokens are counted differently. `level` is that of `level_of`.
    """
    judged = [row for row in quantiles if row["metric"] in JUDGED and _known(row)]
    different = [row for row in judged if _differs(row)]
    lengths: defaultdict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in quantiles:
        if row["metric"] == LENGTH and _known(row) and _differs(row):
            lengths[_group(row, by)].append(row)
    told = [
        _told([*rows], lengths[group], by)
        for (group, _), rows in groupby(different, key=lambda row: (_group(row, by), row["metric"]))
    ]
    if told and all(row["quantile"] != _MEDIAN for row in different):
        told.append("medians are not shown to differ")
    failing = [_failing(row, by, sure=row["p_value"] <= level) for row in failed if _any_failed(row)]
    surely_failing = any(row["p_value"] <= level for row in failed)
    without = [_without(row, by) for row in lacking if row["p_value"] <= level]
    parts = [*told, *without, *failing]
    if told or surely_failing or without:
        said = f"B differs from A: {'; '.join(parts)}"
        if (surely_failing or without) and judged:
            said += "; times are only of requests that have them"
    elif judged:
        said = (
            f"No difference is shown between A and B in {_looked_at(judged)}; that is not to say there is "
            f"none: {_may_have_changed(judged, by)}"
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


def _group(row: Row, by: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row[name] for name in by)


def _looked_at(judged: Sequence[Row]) -> str:
    """Return which quantiles were judged, and why others were not, or not everywhere."""
    counts = Counter(row["quantile"] for row in judged)
    fewer = [name for name in counts if counts[name] < max(counts.values())]
    missing = [name for name in QUANTILES if name not in counts]
    notes = []
    if fewer:
        notes.append(f"{_listed(fewer)} only where there are enough requests")
    if missing:
        notes.append(f"{_listed(missing)} {'take' if len(missing) > 1 else 'takes'} more requests")
    names = _listed(["medians" if name == _MEDIAN else name for name in QUANTILES if name in counts])
    return f"{names} ({'; '.join(notes)})" if notes else names


def _may_have_changed(judged: Sequence[Row], by: Sequence[str]) -> str:
    """Return how large a change that is not shown may be: that of the widest interval, in % if it has one."""
    for unit in ("%", " ms"):
        rows = [row for row in judged if _interval(row)[-1] == unit]
        if not rows:
            continue
        widest = max(rows, key=_width)
        low, high = _strict_interval(widest)
        if high - low >= _PRINTED or abs(low) >= _PRINTED:
            name, metric = _named(widest["quantile"]), widest["metric"]
            return f"the {name} of {metric}{_where(widest, by)} may have changed by {_range(low, high, unit)}"
    return "they are the same in every draw of requests"


def _interval(row: Row) -> tuple[float, float, float, str]:
    """Return a change, the ends of its 95% interval and their unit: % or, where there is none of 0, ms."""
    if row["why"] == "zero":
        return row["change"], row["change_low"], row["change_high"], " ms"
    return row["change_pct"], row["low_pct"], row["high_pct"], "%"


def _strict_interval(row: Row) -> tuple[float, float]:
    """Return the ends of the interval that was asked whether 0 is in it, in the same unit."""
    low, high = _STRICT if row["why"] == "zero" else (f"{end}_pct" for end in _STRICT)
    return row[low], row[high]


def _width(row: Row) -> float:
    low, high = _strict_interval(row)
    return high - low


_PRINTED = 0.05
"""What is less is printed as 0.0."""


def _told(rows: Sequence[Row], lengths: Sequence[Row], by: Sequence[str]) -> str:
    """Return how a metric of a group differs, at one quantile or several, each with its interval."""
    metric = rows[0]["metric"]
    first = next((row for row in rows if _varies(row)), None)
    ways = [
        f"{way}, {_listed([_change(row, is_first=row is first) for row in some])}"
        for way, some in groupby(rows, key=lambda row: "slower" if row["change"] > 0 else "faster")
    ]
    note = "".join(
        f", with answers that are {way} ({_listed([*map(_change_of_length, some)])} tokens)"
        for way, some in groupby(
            lengths if metric == "e2e_ms" else (),
            key=lambda row: "longer" if row["change"] > 0 else "shorter",
        )
    )
    return f"{metric}{_where(rows[0], by)} {', and '.join(ways)}{note}"


def _change(row: Row, *, is_first: bool) -> str:
    """Return by how much a quantile changed; the first interval of several says that it is of 95%."""
    change, low, high, unit = _interval(row)
    if _varies(row):
        interval = f"{'95% interval ' if is_first else ''}{_range(low, high, unit)}"
    else:
        interval = "the same in every draw of requests: no interval"
    from_zero = " from 0" if unit == " ms" and row["a"] == 0 else ""
    return f"{_named(row['quantile'])} {change:+.1f}{unit}{from_zero} ({interval})"


def _varies(row: Row) -> bool:
    return _width(row) >= _NO_WIDTH * abs(_interval(row)[0])


_NO_WIDTH = 1e-9
"""Of the change itself: what is left of rounding where all draws are equal."""


def _change_of_length(row: Row) -> str:
    percent = row["change_pct"]
    by_how_much = f"{percent:+.1f}%" if percent == percent else f"{row['change']:+g}"  # noqa: PLR0124  (NaN)
    return f"{_named(row['quantile'])} {by_how_much}"


def _without(row: Row, by: Sequence[str]) -> str:
    more = "more" if row["lacks_b"] * row["n_a"] > row["lacks_a"] * row["n_b"] else "fewer"
    return (
        f"{more} requests without {_listed(row['metrics'])}{_where(row, by)}, though they did not fail: "
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


def _listed(words: Sequence[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def _named(quantile: str) -> str:
    return "median" if quantile == _MEDIAN else quantile
