"""How many requests failed in A and in B: they lack the times that they did not reach, which so look better.

A request has failed if any of its streams is not `complete`: errors, cut streams and clients that did not
wait. Those of which the recording does not know the end (`recorder-stopped`, `damaged`) are left out.
The interval of the difference is Newcombe's, from two of Wilson's (R. G. Newcombe, Interval estimation for
the difference between independent proportions: comparison of eleven methods, Statistics in Medicine 17,
1998, method 10); `p_value` is Fisher's, exact and two-sided, and does not overclaim on few requests.
"""

from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis._schema import EXCHANGE_KEY
from tokentape.analysis.comparing._change import LEVEL
from tokentape.analysis.comparing._effect import wilson

NOT_KNOWN = ("recorder-stopped", "damaged")
COLUMNS = (
    "failed_a",
    "n_a",
    "failed_b",
    "n_b",
    "a_pct",
    "b_pct",
    "change_points",
    "low_points",
    "high_points",
    "b_low_pct",
    "b_high_pct",
    "p_value",
    "why",
)


def failures(a: pd.DataFrame, b: pd.DataFrame) -> dict[str, Any]:
    """Return how many requests of two tables of streams failed, with `COLUMNS`.

    `a_pct` and `b_pct` are in % of those of which the end is known, `change_points` and its 95% interval
    `low_points` to `high_points` in points of a percentage, `p_value` is between 0 and 1. `why` is
    `no-values` where a side has no such request.
    """
    (failed_a, n_a), (failed_b, n_b) = _counted(a), _counted(b)
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan) | {"why": None}
    row |= {"failed_a": failed_a, "n_a": n_a, "failed_b": failed_b, "n_b": n_b}
    if n_a:
        row["a_pct"] = 100 * failed_a / n_a
    if n_b:
        row["b_pct"] = 100 * failed_b / n_b
        row["b_low_pct"], row["b_high_pct"] = (100 * end for end in wilson(failed_b / n_b, n_b, LEVEL))
    if not min(n_a, n_b):
        return row | {"why": "no-values"}
    low, high = newcombe(failed_a, n_a, failed_b, n_b, LEVEL)
    return row | {
        "change_points": row["b_pct"] - row["a_pct"],
        "low_points": 100 * low,
        "high_points": 100 * high,
        "p_value": fisher(failed_a, n_a, failed_b, n_b),
    }


def _counted(streams: pd.DataFrame) -> tuple[int, int]:
    known, request = known_requests(streams)
    failed = (known["outcome"] != "complete").groupby(request).any()
    return int(failed.sum()), len(failed)


def known_requests(streams: pd.DataFrame) -> "tuple[pd.DataFrame, pd.Series[int]]":
    """Return the streams of which the recording knows the end, and a number for each, that of its request."""
    known = streams[~streams["outcome"].astype("str").isin(NOT_KNOWN)]
    return known, known.groupby(EXCHANGE_KEY, observed=True, sort=False).ngroup()


def newcombe(failed_a: int, n_a: int, failed_b: int, n_b: int, level: float) -> tuple[float, float]:
    """Return the interval of the difference of two shares, B's less A's."""
    a, b = failed_a / n_a, failed_b / n_b
    (low_a, high_a), (low_b, high_b) = wilson(a, n_a, level), wilson(b, n_b, level)
    return (
        b - a - float(np.hypot(b - low_b, high_a - a)),
        b - a + float(np.hypot(high_b - b, a - low_a)),
    )


def fisher(failed_a: int, n_a: int, failed_b: int, n_b: int) -> float:
    """Return how probable so uneven a split, or a more uneven one, is if both fail as often."""
    failed, n = failed_a + failed_b, n_a + n_b
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    split = np.arange(max(0, failed - n_b), min(failed, n_a) + 1)

    def ways(total: int, chosen: Any) -> Any:
        return logs[total] - logs[chosen] - logs[total - chosen]

    log_p = ways(n_a, split) + ways(n_b, failed - split) - ways(n, failed)
    here = log_p[failed_a - split[0]]
    return float(min(1.0, np.exp(log_p[log_p <= here + 1e-7]).sum()))
