"""Differences and places within runs of equal rows, over whole integer columns; `NONE` where none is."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from tokentape.analysis.measuring._columns import Bools, Ints, joined
from tokentape.analysis.measuring._metrics import NS_PER_MS

NONE = np.iinfo(np.int64).min


def chained(columns: Iterable[Ints]) -> Ints:
    """Return columns one after the other."""
    return joined(list(columns))


def same_as_before(*columns: Ints) -> Bools:
    """Return, for each row, whether it agrees with the one before in all columns."""
    same: Bools = np.ones(len(columns[0]), np.bool_)
    same[:1] = False
    for column in columns:
        same[1:] &= column[1:] == column[:-1]
    return same


def difference(values: Ints, same: Bools) -> Ints:
    """Return how much more each is than the one before it, where it is of the same run."""
    return np.where(same, np.diff(values, prepend=0), NONE)


def ordinals(same_stream: Bools) -> Ints:
    """Return each row's place in its run, from 0."""
    places = np.arange(len(same_stream))
    starts = np.maximum.accumulate(np.where(same_stream, 0, places)) if len(places) else places
    return places - starts


def spread_out(values: "Ints | Bools", at: Ints, size: int) -> Ints:
    """Return a column of this size with the values at these places, and nothing elsewhere."""
    spread = np.full(size, NONE)
    spread[at] = values
    return spread


def ms(ns: Ints) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """Return nanoseconds as milliseconds."""
    return np.where(ns == NONE, np.nan, ns / NS_PER_MS)


def nullable(values: Ints, known: Bools) -> "pd.arrays.IntegerArray":
    """Return integers that are missing where they are not known."""
    return pd.arrays.IntegerArray(np.where(known, values, 0), ~known)
