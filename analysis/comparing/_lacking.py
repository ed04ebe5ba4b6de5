"""How many answers have no time, though nothing failed: the times of B are only of those that have one.

An answer that is complete may hold no token, or one alone. Where more of B's are so than of A's, what is left
of B may look better for it, as with failures (`_failures`), and is counted in the same way: by request, with
Newcombe's interval of the difference and Fisher's exact `p_value`.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from tokentape.analysis.comparing._change import LEVEL
from tokentape.analysis.comparing._failures import fisher, known_requests, newcombe


def lacking(a: pd.DataFrame, b: pd.DataFrame, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return a row for the metrics of which as many requests have none, of tables of streams.

    `metrics`, `lacks_a` of `n_a` requests that did not fail, `lacks_b` of `n_b`, the 95% interval of the
    difference in points of a percentage, `low_points` to `high_points`, and `p_value`. Where a side has no
    such request there is no row.
    """
    found: dict[tuple[int, int, int, int], list[str]] = {}
    for metric, one, other in zip(metrics, _counted(a, metrics), _counted(b, metrics), strict=True):
        found.setdefault((*one, *other), []).append(metric)
    rows = []
    for counts, names in found.items():
        lacks_a, n_a, lacks_b, n_b = counts
        if not min(n_a, n_b):
            continue
        low, high = newcombe(*counts, LEVEL)
        rows.append(
            {
                "metrics": names,
                "lacks_a": lacks_a,
                "n_a": n_a,
                "lacks_b": lacks_b,
                "n_b": n_b,
                "low_points": 100 * low,
                "high_points": 100 * high,
                "p_value": fisher(*counts),
            }
        )
    return rows


def _counted(streams: pd.DataFrame, metrics: Sequence[str]) -> list[tuple[int, int]]:
    """Return, for each metric, how many requests that did not fail have none, and how many there are."""
    known, request = known_requests(streams)
    whole = (known["outcome"] == "complete").groupby(request).all()
    has = (known[metric].notna().groupby(request).any() for metric in metrics)
    return [(int((whole & ~each).sum()), int(whole.sum())) for each in has]
