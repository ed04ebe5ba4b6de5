"""Whether tokens are counted in the same way in A and in B: if not, what is made of counts is not compared.

A bill, token events and a tokenizer give different numbers for one and the same answer, so that a change
between them would be one of counting. The two are taken to count differently if more than one stream in ten
would have to be counted in another way for the shares of all ways to be equal (their total variation
distance): a few streams that were cut before their bill came are no reason not to compare thousands.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis.comparing._change import STRICT_ENDS
from tokentape.analysis.summarising._summary import PER_TOKEN

COUNTED_DIFFERENTLY = "counted-differently"
OF_COUNTS = (*PER_TOKEN, "tpot_ms")
_MOST = 0.1
_BILL = {"usage-per-chunk": "usage"}
_CHANGES = ("change", "change_pct", "change_low", "change_high", "low_pct", "high_pct", *STRICT_ENDS)
_EFFECTS = ("prob_b_slower", "low", "high", "cliffs_delta")


def counted_by(streams: pd.DataFrame) -> "pd.Series[float]":
    """Return the share of each way among the streams of which the tokens are known."""
    known = streams.loc[streams["output_tokens"].notna(), "tokens_from"].dropna().astype("str")
    return known.replace(_BILL).value_counts(normalize=True)


def differ(a: "pd.Series[float]", b: "pd.Series[float]") -> bool:
    """Return whether too many are counted in another way; two sides of which one has none do not differ."""
    if a.empty or b.empty:
        return False
    return bool(a.sub(b, fill_value=0).abs().sum() / 2 > _MOST)


def words(a: "pd.Series[float]", b: "pd.Series[float]") -> str:
    """Return what is to be said of two sides that differ."""
    one, other = ("+".join(sorted(map(str, each.index))) for each in (a, b))
    if one == other:
        one, other = (", ".join(f"{name} {share:.0%}" for name, share in each.items()) for each in (a, b))
    return (
        f"tokens are counted by {one} in A and by {other} in B, so that {', '.join(PER_TOKEN[:-1])} and "
        f"{PER_TOKEN[-1]} cannot be compared"
    )


def not_comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of quantiles or of effects with each side's own numbers and none of both."""
    if row["why"] == "no-values":
        return dict(row)
    without = {name: np.nan for name in (*_CHANGES, *_EFFECTS) if name in row}
    return dict(row) | without | {"why": COUNTED_DIFFERENTLY}
