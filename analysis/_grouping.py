"""By what streams can be grouped: columns that are names, and what is made of columns.

The invariant: a stream is in one group, and one of which the name is not known is in a group without one.
"""

from itertools import pairwise
from typing import TypeAlias

import pandas as pd

from tokentape.analysis import _schema as schema
from tokentape.analysis._where import LABEL, label_of

By: TypeAlias = str
"""What to group by."""

COLUMN_GROUPINGS = tuple(
    name
    for name, dtype in schema.STREAMS.items()
    if name in ("section", "exchange", "choice", "status", "connection_reused")
    or (dtype == schema.CATEGORY and not name.endswith("_why"))
)
GROUPINGS = (*COLUMN_GROUPINGS, "route", "hour", "prompt_size")
"""What streams can be grouped by, beside `label.NAME`: columns of `streams`, and what is made of these."""
PROMPT_BOUNDS = (0, 1_000, 4_000, 16_000, 64_000)
"""Where each size of prompt begins, in tokens as billed."""


def check_grouping(by: str) -> None:
    """Raise ValueError, with what there is, for something by which streams cannot be grouped."""
    if by not in GROUPINGS and not by.startswith(LABEL):
        raise ValueError(
            f"expected a column to group by ({', '.join(GROUPINGS)} or label.NAME), found {by!r}"
        )


def with_grouping(streams: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return the streams with a column of this name; ValueError if they cannot be grouped by it."""
    check_grouping(by)
    if by in COLUMN_GROUPINGS:
        return streams
    if by == "route":
        made = streams["host"].astype("str") + streams["path"].astype("str")
        known = streams["host"].notna() & streams["path"].notna()
        return streams.assign(route=made.where(known).astype("category"))
    if by == "hour":
        return streams.assign(hour=streams["started_at"].dt.floor("h"))
    if by == "prompt_size":
        names = [f"{low}-{high - 1}" for low, high in pairwise(PROMPT_BOUNDS)]
        return streams.assign(
            prompt_size=pd.cut(
                streams["prompt_tokens"].astype("float64"),
                [*PROMPT_BOUNDS, float("inf")],
                right=False,
                labels=[*names, f"{PROMPT_BOUNDS[-1]}+"],
            )
        )
    name = by.removeprefix(LABEL)
    values = [label_of(text if isinstance(text, str) else None, name) for text in streams["labels"]]
    return streams.assign(**{by: pd.Categorical(values)})
