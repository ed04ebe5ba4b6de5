"""A recording of more gaps than come to one place: what is of gaps is approximate, and says its error."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis.dask._sketch import RELATIVE_ERROR, Sketch
from tokentape.analysis.summarising._summary import PERCENTS

if TYPE_CHECKING:
    from tokentape.analysis.summarising._grouping import By

GAPS = ("gap_ms", "read_gap_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproximateRecording(Recording):
    """A recording whose `events` are empty: `gaps` has sketches for each group of `by` instead.

    In summaries the percentiles of `gap_ms` and `read_gap_ms` are within `RELATIVE_ERROR` of the exact
    ones; how many there are and the maximum are exact, and so are all other rows.
    """

    gaps: Mapping[Hashable, Mapping[str, Sketch]]
    by: "By | None" = None

    def summary(self, by: "By | None" = None) -> pd.DataFrame:
        """Return what `Recording.summary` does; only by what the gaps were collected by."""
        if by != self.by:
            raise ValueError(f"expected a summary by {self.by!r}, as gaps were collected; found {by!r}")
        table = Recording.summary(self, by)
        rows = table.to_dict("records")
        for row, key in zip(rows, table.index, strict=True):
            *group, metric = (key,) if by is None else key
            sketch = self.gaps.get(_name(group), {}).get(metric)
            if sketch is not None and sketch.n:
                points = sketch.quantiles(percent / 100 for percent in PERCENTS)
                row |= {f"p{percent}": point for percent, point in zip(PERCENTS, points, strict=True)}
                row |= {"n": sketch.n, "max": sketch.greatest, "why": None}
        found = pd.DataFrame(
            {
                name: pd.Series([row[name] for row in rows], dtype=dtype)
                for name, dtype in table.dtypes.items()
            }
        ).set_axis(table.index)
        found.attrs |= {"percentiles": self.exactness, "relative_error": RELATIVE_ERROR}
        return found

    def as_dict(self, by: "By | None" = None) -> dict[str, Any]:
        """Refuse: where so much comes together, a list of everything is not wanted."""
        raise ValueError(f"expected fewer gaps to list by {by!r}; use summary, or a higher exact_up_to")

    @property
    def exactness(self) -> str:
        """What is said of the percentiles, for people."""
        return (
            f"percentiles of {' and '.join(GAPS)} are within {RELATIVE_ERROR:.1%} of the exact ones; "
            "all others are exact"
        )


def _name(group: list[Any]) -> Hashable:
    """Return the name that `groups` has for a group, from the levels of an index."""
    known = tuple(None if pd.isna(each) else each for each in group)
    return known if len(known) > 1 else (known or ("all",))[0]
