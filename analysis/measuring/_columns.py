"""Integer columns: numpy arrays to compute with, and arrays of plain ints to hand out."""

from array import array
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
Bools: TypeAlias = "np.ndarray[Any, np.dtype[np.bool_]]"


def ints(values: Sequence[int]) -> Ints:
    """Return a column of 64-bit integers."""
    return np.fromiter(values, np.int64, len(values))


def no_ints() -> Ints:
    """Return a column without rows."""
    return np.empty(0, np.int64)


def joined(columns: Sequence[Ints]) -> Ints:
    """Return columns one below the other; a single one is not copied."""
    if len(columns) == 1:
        return columns[0]
    return np.concatenate(columns) if columns else no_ints()


def occurring(small: Ints) -> list[int]:
    """Return which numbers occur in a column of small ones that are not negative, in order.

    To count them finds that without sorting all rows.
    """
    return np.flatnonzero(np.bincount(small)).tolist()


def plain(column: Ints) -> "array[int]":
    """Return a sequence of Python's own ints that takes 8 bytes for each."""
    found = array("q")
    found.frombytes(column.tobytes())
    return found
