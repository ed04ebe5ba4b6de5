"""A recording of more gaps than come to one place: what is of gaps is approximate, and says its error."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from tokentape.analysis._recording import Recording
from tokentape.analysis.dask._sketch import RELATIVE_ERROR, Sketch
from tokentape.analysis.measuring._definitions import named_definitions
from tokentape.analysis.summarising._grouping import names_of
from tokentape.analysis.summarising._summary import PERCENTS, groups, mixed_sources
from tokentape.analysis.summarising._tool_quantiles import gaps_of_counted

if TYPE_CHECKING:
    from tokentape.analysis.summarising._grouping import By

GAPS = ("gap_ms", "read_gap_ms")
"""The rows of a summary that are made of gaps."""
_POOLED = "itl_ms"
"""So is this one, to tools that pool the gaps of all streams."""


def sketched(definitions: str | None) -> tuple[str, ...]:
    """Return the rows of a summary that come from sketches, with these definitions."""
    tool = named_definitions(definitions)
    return (*GAPS, _POOLED) if tool is not None and tool.pools_gaps else GAPS


def gaps_for(metric: str, streams: pd.DataFrame, gaps: pd.DataFrame) -> "pd.Series[float]":
    """Return the values of one of these rows, from a group's streams and its events with a gap."""
    return gaps_of_counted(streams, gaps) if metric == _POOLED else gaps[metric].dropna()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApproximateRecording(Recording):
    """A recording whose `events` are empty: `gaps` has sketches for each group of `by` instead.

    In summaries the percentiles of `gap_ms` and `read_gap_ms` are within `RELATIVE_ERROR` of the exact
    ones, and those of `itl_ms` with the definitions of a tool for which it is all gaps; how many there are
    and the maximum are exact, and so are all other rows. What is about single gaps is refused.
    """

    gaps: Mapping[Hashable, Mapping[str, Sketch]]
    by: "By | None" = None

    def summary(self, by: "By | None" = None) -> pd.DataFrame:
        """Return what `Recording.summary` does; only by what the gaps were collected by."""
        if by != self.by:
            raise ValueError(f"expected a summary by {self.by!r}, as gaps were collected; found {by!r}")
        table = Recording.summary(self, by)
        tool = named_definitions(self.definitions)
        sources = {
            name: mixed_sources(group.loc[group[_POOLED].notna(), "tokens_from"])
            for name, group, _ in groups(self.streams, self.events, by)
        }
        rows = table.to_dict("records")
        for row, key in zip(rows, table.index, strict=True):
            *group, metric = key if names_of(by) else (key,)
            name = _name(group)
            sketch = self.gaps.get(name, {}).get(metric)
            if sketch is not None and sketch.n:
                points = sketch.quantiles(
                    [percent / 100 for percent in PERCENTS], "linear" if tool is None else tool.quantiles
                )
                row |= {f"p{percent}": point for percent, point in zip(PERCENTS, points, strict=True)}
                why = sources[name] if metric == _POOLED else None
                row |= {"n": sketch.n, "max": sketch.greatest, "why": why}
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

    def stalls(self, over_ms: float) -> pd.DataFrame:
        """Refuse: the events are not here."""
        raise ValueError(f"expected fewer gaps to list those over {over_ms} ms; use collected()")

    def deadline_miss_rate(self, tbt_ms: float, ttft_ms: float | None = None) -> "pd.Series[float]":
        """Refuse: the events are not here."""
        raise ValueError(
            f"expected fewer gaps for the deadlines of {tbt_ms} ms, {ttft_ms} ms first; use collected()"
        )

    @property
    def exactness(self) -> str:
        """What is said of the percentiles, for people."""
        *some, last = sketched(self.definitions)
        return (
            f"percentiles of {', '.join(some)} and {last} are within {RELATIVE_ERROR:.1%} of the exact ones; "
            "all others are exact"
        )


def _name(group: list[Any]) -> Hashable:
    """Return the name that `groups` has for a group, from the levels of an index."""
    known = tuple(None if pd.isna(each) else each for each in group)
    return known if len(known) > 1 else (known or ("all",))[0]
