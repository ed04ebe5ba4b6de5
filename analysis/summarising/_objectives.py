"""What users were promised and how often it was kept: attainment, goodput and missed deadlines.

Streams are counted: a request with several choices has one for each. A stream whose metric is missing meets
no bound on it, and failures and cut streams were sent, too. Goodput is completed streams a second that meet
every objective. The authors of DistServe define it of requests (Zhong et al., OSDI 2024, arXiv 2401.09670;
hao-ai-lab.github.io/blogs/distserve), which is the same where each has one choice. What that paper maximises,
the rate that can be sent while a stated share still meets them, takes a sweep of loads.
"""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.summarising._grouping import By, group_index, grouped, names_of
from tokentape.analysis.summarising._window import window_s

BOUNDED = {"gap_ms": "gap_max_ms"} | {name: name for name in schema.MEASURES}
"""What an objective can be set for, and the column of `streams` that must be within it."""
OBJECTIVES = (*BOUNDED,)
"""The names of these."""
_NS_PER_MS = 1_000_000
AT_LEAST = ("tokens_per_s",)
"""Those that are a least value; all others are most values."""


def check_objectives(objectives: Mapping[str, float]) -> None:
    """Raise ValueError for no objective, what is no metric of a stream, and a bound below 0 or not finite."""
    if not objectives:
        raise ValueError("expected an objective such as ttft_ms=500, found none")
    for name, bound in objectives.items():
        if name not in BOUNDED:
            raise ValueError(f"expected an objective for one of {', '.join(BOUNDED)}, found {name!r}")
        if not isfinite(bound):
            raise ValueError(f"expected {name} to be a number that is finite, found {bound}")
        if bound < 0:
            raise ValueError(f"expected {name} to be a number from 0, found {bound}")


def attainment(streams: pd.DataFrame, objectives: Mapping[str, float], by: By | None) -> pd.DataFrame:
    """Return a row for each group, or one called `all`, with the columns of `Recording.slo`.

    `streams` is a table of streams, `objectives` a bound for each of some of `OBJECTIVES`. Raises ValueError
    as `check_objectives` and `names_of` do.
    """
    check_objectives(objectives)
    known, met = (pd.Series(data=True, index=streams.index) for _ in range(2))
    for name, bound in objectives.items():
        values = streams[BOUNDED[name]].astype("float64")
        known &= values.notna()
        met &= (values >= bound) if name in AT_LEAST else (values <= bound)
    is_complete = streams["outcome"] == "complete"
    table = streams.assign(_met=met & is_complete, _missing=is_complete & ~known)
    if by is None or not names_of(by):
        return pd.DataFrame([_attained(table)], index=pd.Index(["all"], name="group"))
    groups = [(name, _attained(group)) for name, group in grouped(table, by)]
    index = group_index([name for name, _ in groups], by)
    return pd.DataFrame([row for _, row in groups], columns=list(_attained(table)), index=index)


def _attained(group: pd.DataFrame) -> dict[str, Any]:
    met, sent = int(group["_met"].sum()), len(group)
    seconds = window_s(group)
    return {
        "sent": sent,
        "met": met,
        "missing": int(group["_missing"].sum()),
        "attainment": met / sent if sent else float("nan"),
        "window_s": seconds,
        "goodput_per_s": met / seconds if seconds > 0 else float("nan"),
    }


def missed_deadlines(
    events: pd.DataFrame, streams: pd.DataFrame, tbt_ms: float, ttft_ms: float | None
) -> "pd.Series[float]":
    """Return, for each stream with token deadlines, the share of these that were missed, 0 to 1.

    `events` and `streams` are tables of these; the index has cassette, section, exchange and choice. Without
    `ttft_ms` the first token has no deadline. Raises ValueError for a `tbt_ms` of less than a nanosecond, a
    `ttft_ms` below 0, and what is not finite.
    """
    if not isfinite(tbt_ms) or not tbt_ms * _NS_PER_MS >= 1:
        raise ValueError(f"expected tbt_ms, a time between tokens, above 0 ms and finite, found {tbt_ms}")
    if ttft_ms is not None and not (isfinite(ttft_ms) and ttft_ms >= 0):
        raise ValueError(f"expected ttft_ms, a time to the first token, of 0 ms or more, found {ttft_ms}")
    tbt_ns = round(tbt_ms * _NS_PER_MS)
    ttft_ns = None if ttft_ms is None else round(ttft_ms * _NS_PER_MS)
    times = events.loc[events["gap_ms"].notna(), [*STREAM_KEY, "gap_ms"]].astype({"choice": "int64"})
    times = times.rename(columns={"gap_ms": "ms"})
    if ttft_ns is not None:
        first = streams.loc[streams["ttft_ms"].notna(), [*STREAM_KEY, "ttft_ms"]]
        times = pd.concat([first.rename(columns={"ttft_ms": "ms"}), times], ignore_index=True)
    times["ms"] = np.rint(times["ms"].to_numpy(np.float64) * _NS_PER_MS).astype(np.int64)
    found = times.groupby(STREAM_KEY, observed=True, sort=True)["ms"].agg(
        lambda each: miss_rate(each.tolist(), tbt_ns, ttft_ns)
    )
    return found.astype("float64").rename("deadline_miss_rate")


def miss_rate(times_ns: Sequence[int], tbt_ns: int, ttft_ns: int | None = None) -> float:
    """Return missed deadlines / all deadlines of a stream, as Etalon counts them; there must be one time.

    `times_ns` are the times between tokens and, if `ttft_ns` is given, before them that to the first token.
    A token in time leaves what it did not use as slack to those after it. A late one misses a deadline
    for each `tbt_ns` that is begun after its own, and what comes after starts anew, without slack. All are
    integers, since 0.3 // 0.1 is 2.

    The documentation of Etalon counts a late token once; its code, and this, counts each deadline missed.
    Source: Agrawal et al., arXiv 2407.07000, the algorithm of the fluidity-index, and in its authors' code
    (github.com/project-etalon/etalon) `get_request_level_deadline_miss_rate` of metrics/metric_utils.py, with
    `should_ignore_first_token` where `ttft_ns` is None.
    """
    slack = missed = in_time = 0
    for position, time in enumerate(times_ns):
        due = ttft_ns if ttft_ns is not None and position == 0 else tbt_ns
        if time <= due + slack:
            slack += due - time
            in_time += 1
        else:
            missed += 1 + (time - slack - due) // tbt_ns
            slack = 0
    return missed / (missed + in_time)
