"""How probable it is that a request of B is slower than one of A: the effect, free of units and outliers.

P(B > A) + P(B = A) / 2 (A. Vargha and H. D. Delaney, A critique and improvement of the CL common language
effect size statistics of McGraw and Wong, Journal of Educational and Behavioral Statistics 25, 2000), and
Cliff's delta, which is twice that less 1. The variance is that of the area under a ROC curve, which this
is (E. R. DeLong and others, Biometrics 44, 1988); the interval is Wilson's with as many requests as would
give that variance, so that it stays within 0 and 1.
"""

from typing import Any

import numpy as np

from tokentape.analysis.comparing._bootstrap import MIN_BEYOND, Floats, normal_quantile
from tokentape.analysis.comparing._change import LEVEL, Values

COLUMNS = ("n_a", "n_b", "prob_b_slower", "low", "high", "cliffs_delta", "why")


def effect(one: Values, other: Values, *, less_is_slower: bool, paired: bool) -> dict[str, Any]:
    """Return the row of a metric, with `COLUMNS`; each request counts once, with its median.

    `prob_b_slower` and its 95% interval `low` to `high` are between 0 and 1, `cliffs_delta` between -1 and 1;
    `why` is `no-values` where a side has none, and `too-few` where there is no interval for that. Where
    requests are paired it is of the pairs: how many are slower in B, equal ones half.
    """
    slow_a, slow_b = (each.groupby(level=list(range(each.index.nlevels))).median() for each in (one, other))
    if less_is_slower:
        slow_a, slow_b = -slow_a, -slow_b
    if paired:
        slow_a, slow_b = slow_a.align(slow_b, join="inner")
    n = min(len(slow_a), len(slow_b))
    row: dict[str, Any] = dict.fromkeys(COLUMNS, np.nan)
    row |= {"n_a": len(slow_a), "n_b": len(slow_b), "why": None}
    if not n:
        return row | {"why": "no-values"}
    a: Floats = np.asarray(slow_a, np.float64)
    b: Floats = np.asarray(slow_b, np.float64)
    if paired:
        placed = (np.sign(b - a) + 1) / 2
        prob, variance = float(placed.mean()), float(placed.var()) / n
    else:
        in_a, in_b = _placements(b, a), 1 - _placements(a, b)
        prob, variance = float(in_a.mean()), float(in_a.var() / len(b) + in_b.var() / len(a))
    row |= {"prob_b_slower": prob, "cliffs_delta": 2 * prob - 1}
    if n < 2 * MIN_BEYOND:
        return row | {"why": "too-few"}
    size = min(n, prob * (1 - prob) / variance) if variance > 0 else n
    low, high = wilson(prob, size, LEVEL)
    return row | {"low": low, "high": high}


def wilson(share: float, n: float, level: float) -> tuple[float, float]:
    """Return Wilson's score interval of a share of `n` (E. B. Wilson, JASA 22, 1927).

    Of none it begins at 0 and of all it ends at 1, exactly: rounding would have it begin just above.
    """
    z = normal_quantile(1 - level / 2)
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = (0.0 if share == 0 else middle - half), (1.0 if share == 1 else middle + half)
    return float(max(0, low)), float(min(1, high))


def _placements(values: Floats, among: Floats) -> Floats:
    """Return, for each value, the share of the others that are below it; equal ones count half."""
    ordered = np.sort(among)
    below, to = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return (below + to) / (2 * len(among))
