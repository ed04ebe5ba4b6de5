"""Quantiles of more values than are kept, from counts of how many lie about where.

The guarantee: a quantile of values of one sign is within `RELATIVE_ERROR` of the exact one, linearly
interpolated as pandas does, however the values were divided and merged; zero, the least and the greatest
value are exact. Order does not matter: what is counted again after a worker was lost comes out the same.

This is DDSketch (Masson, Rim and Lee, "DDSketch: A fast and fully-mergeable quantile sketch with
relative-error guarantees", VLDB 2019, section 2) with as many buckets as there are: bucket i holds the values
in (g^(i-1), g^i], and 2 g^i / (g + 1) stands for all of them. Whole arrays are counted at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from tokentape.analysis.measuring._definitions import Quantiles

Floats: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"
Ints: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"

RELATIVE_ERROR = 0.001
_FINER = RELATIVE_ERROR * 0.999  # so that the rounding of logarithms has room
_GAMMA = (1 + _FINER) / (1 - _FINER)
_LOG_GAMMA = float(np.log(_GAMMA))
_MIDDLE = 1 << 21
"""Bucket i of the positive values has the key i + this, and of the negative ones - (i + this); zero has 0."""


@dataclass(frozen=True, slots=True)
class Sketch:
    """How many values are in each bucket, the buckets in order of their values."""

    keys: Ints
    counts: Ints
    least: float
    greatest: float

    @property
    def n(self) -> int:
        """How many values there are."""
        return int(self.counts.sum())

    def quantiles(self, wanted: Iterable[float], method: "Quantiles" = "linear") -> list[float]:
        """Return quantiles between 0 and 1, by one of numpy's methods; there has to be a value."""
        if method == "inverted_cdf":
            reached = np.cumsum(self.counts) / self.n
            at = np.searchsorted(reached, np.array(list(wanted)), side="left")
            values: list[float] = self._values(np.minimum(at, len(self.keys) - 1)).tolist()
            return values
        places = np.array([(self.n - 1) * quantile for quantile in wanted])
        low = np.floor(places)
        ends = np.cumsum(self.counts)
        below, above = (
            self._values(np.searchsorted(ends, at, side="right")) for at in (low, np.ceil(places))
        )
        found: list[float] = (below + (above - below) * (places - low)).tolist()
        return found

    def _values(self, at: Ints) -> Floats:
        keys = self.keys[at]
        size = 2 * np.exp((np.abs(keys) - _MIDDLE) * _LOG_GAMMA) / (_GAMMA + 1)
        values: Floats = np.clip(np.where(keys == 0, 0.0, np.sign(keys) * size), self.least, self.greatest)
        return values


def sketch_of(values: Floats) -> Sketch:
    """Return the sketch of finite values."""
    is_zero = values == 0
    size = np.log(np.where(is_zero, 1.0, np.abs(values))) / _LOG_GAMMA
    buckets = np.where(is_zero, 0, np.sign(values) * (np.ceil(size) + _MIDDLE)).astype(np.int64)
    keys, counts = np.unique(buckets, return_counts=True)
    return Sketch(keys, counts, float(values.min(initial=np.inf)), float(values.max(initial=-np.inf)))


def merged(sketches: Iterable[Sketch]) -> Sketch:
    """Return the sketch of the values of all."""
    found = list(sketches)
    keys, place = np.unique(np.concatenate([each.keys for each in found]), return_inverse=True)
    counts = np.zeros(len(keys), np.int64)
    np.add.at(counts, place, np.concatenate([each.counts for each in found]))
    return Sketch(keys, counts, min(each.least for each in found), max(each.greatest for each in found))
