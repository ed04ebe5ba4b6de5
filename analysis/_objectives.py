"""What users were promised and how often it was kept: attainment, goodput, deadlines, requests in flight.

A stream whose metric is missing meets no bound on it, and failures and cut streams were sent, too.
Goodput is DistServe's (Zhong et al., OSDI 2024, section 2): requests a second that meet every objective.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._grouping import with_grouping

_STREAM_KEY = ["cassette", "section", "exchange", "choice"]
BOUNDED = {"gap_ms": "gap_max_ms"} | {name: name for name in schema.MEASURES}
"""What an objective can be set for, and the column of `streams` that must be within it."""
AT_LEAST = ("tokens_per_s",)


def check_objectives(objectives: Mapping[str, float]) -> None:
    """Raise ValueError for no objective, or one for what is no metric of a stream."""
    if not objectives:
        raise ValueError("expected an objective such as ttft_ms=500, found none")
    for name in objectives:
        if name not in BOUNDED:
            raise ValueError(f"expected an objective for one of {', '.join(BOUNDED)}, found {name!r}")


def attainment(streams: pd.DataFrame, objectives: Mapping[str, float], by: str | None) -> pd.DataFrame:
    """Return a row for each group: how many streams were sent and met all objectives, and goodput."""
    check_objectives(objectives)
    known, met = (pd.Series(data=True, index=streams.index) for _ in range(2))
    for name, bound in objectives.items():
        values = streams[BOUNDED[name]].astype("float64")
        known &= values.notna()
        met &= (values >= bound) if name in AT_LEAST else (values <= bound)
    is_complete = streams["outcome"] == "complete"
    table = streams.assign(_met=met & is_complete, _missing=is_complete & ~known)
    if by is None:
        return pd.DataFrame([_attained(table)], index=pd.Index(["all"], name="group"))
    keyed = with_grouping(table, by)
    groups = [(name, _attained(group)) for name, group in keyed.groupby(by, dropna=False, observed=True)]
    names: list[Hashable] = [None if pd.isna(name) else name for name, _ in groups]
    columns = list(_attained(table))
    index = pd.Index(names, name=by, dtype="object")
    return pd.DataFrame([row for _, row in groups], columns=columns, index=index)


def _attained(group: pd.DataFrame) -> dict[str, Any]:
    met, sent = int(group["_met"].sum()), len(group)
    window_s = _window_s(group)
    return {
        "sent": sent,
        "met": met,
        "missing": int(group["_missing"].sum()),
        "attainment": met / sent if sent else float("nan"),
        "window_s": window_s,
        "goodput_per_s": met / window_s if window_s > 0 else float("nan"),
    }


def _window_s(group: pd.DataFrame) -> float:
    last_ms = group["end_ms"].fillna(group["last_token_ms"]).fillna(0)
    ends = group["started_at"] + pd.to_timedelta(last_ms, unit="ms")
    window = ends.max() - group["started_at"].min()
    return float(window.total_seconds()) if pd.notna(window) else float("nan")


def missed_deadlines(events: pd.DataFrame, tbt_ms: float) -> "pd.Series[float]":
    """Return, for each stream that has gaps, the share of its token deadlines that were missed."""
    if not tbt_ms > 0:
        raise ValueError(f"expected a time between tokens above 0 ms, found {tbt_ms}")
    gaps = events.loc[events["gap_ms"].notna(), [*_STREAM_KEY, "gap_ms"]]
    found = gaps.groupby(_STREAM_KEY, observed=True)["gap_ms"].agg(
        lambda each: miss_rate(each.tolist(), tbt_ms)
    )
    return found.astype("float64").rename("deadline_miss_rate")


def miss_rate(gaps_ms: list[float], tbt_ms: float) -> float:
    """Return misses / (misses + tokens in time), as Etalon counts misses.

    A token in time leaves what it did not use as slack to those after it. A late one misses
    (gap - slack) // tbt deadlines, and takes the slack.
    """
    slack = 0.0
    missed = in_time = 0
    for gap in gaps_ms:
        if gap <= tbt_ms + slack:
            slack += tbt_ms - gap
            in_time += 1
        else:
            missed += int((gap - slack) // tbt_ms)
            slack = 0.0
    return missed / (missed + in_time)


def in_flight(exchanges: pd.DataFrame) -> "pd.Series[int]":
    """Return how many requests were under way from each moment on at which that changed.

    A request without an end was under way until the end of what is known of it, its first byte.
    """
    known = exchanges[exchanges["started_at"].notna()]
    last_ms = known["end_ms"].fillna(known["first_byte_ms"]).fillna(known["headers_ms"]).fillna(0)
    starts = pd.Series(1, index=pd.DatetimeIndex(known["started_at"]))
    ends = pd.Series(-1, index=pd.DatetimeIndex(known["started_at"] + pd.to_timedelta(last_ms, unit="ms")))
    changes = pd.concat([starts, ends]).groupby(level=0).sum().sort_index()
    return changes.cumsum().astype("int64").rename("in_flight").rename_axis("at")
