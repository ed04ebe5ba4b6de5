"""How other tools come from many streams to one number: their pools, weights and kinds of percentiles."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tokentape.analysis._schema import STREAM_KEY

if TYPE_CHECKING:
    from tokentape.analysis.measuring._definitions import Definitions


def gaps_of_counted(streams: pd.DataFrame, gaps: pd.DataFrame) -> "pd.Series[float]":
    """Return all gaps of those streams that a tool counts: they have a TTFT."""
    counted = streams.loc[streams["ttft_ms"].notna(), STREAM_KEY].drop_duplicates()
    keyed = gaps.astype({"choice": "int64"}).merge(counted, on=STREAM_KEY, how="inner")
    return keyed["gap_ms"]


def quantiles(
    tool: "Definitions",
    metric: str,
    values: "pd.Series[Any]",
    streams: pd.DataFrame,
    percents: Sequence[int],
) -> list[float]:
    """Return percentiles of a metric's values as a tool computes them; `values` are of some of `streams`.

    guidellm's are the least value at which the cumulated weight reaches the share (`Percentiles.from_pdf`),
    and where it weighs, a stream counts as often as it has tokens.
    """
    points = [percent / 100 for percent in percents]
    if tool.quantiles == "linear":
        return list(values.quantile(points).tolist())
    fewer = dict(tool.weights).get(metric)
    if fewer is None:
        weights = np.ones(len(values))
    else:
        weights = streams.loc[values.index, "output_tokens"].to_numpy(np.float64) - fewer
    order = np.argsort(values.to_numpy(np.float64), kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    at = np.minimum(np.searchsorted(reached, points, side="left"), len(order) - 1)
    return [float(value) for value in values.to_numpy(np.float64)[order][at]]
