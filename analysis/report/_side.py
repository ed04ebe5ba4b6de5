"""A recording on the page: alone, or as A or B beside another.

The invariant: both sides have the same views, so that a click shows the same streams of both.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokentape.analysis.report._views import Facet, Mask, Parts, views_of

if TYPE_CHECKING:
    from tokentape.analysis._recording import Recording


@dataclass(frozen=True, slots=True)
class Side:
    """A recording, its name beside another ("" if there is none), and which of its streams each view has."""

    name: str
    recording: "Recording"
    parts: Parts
    masks: list[Mask]

    def view(self, at: int) -> tuple[str, "Recording"]:
        """Return the name, and the recording of the streams of a view."""
        return self.name, self.parts.of(self.masks[at])


def sides_of(recordings: "Sequence[Recording]", facets: Sequence[Facet]) -> list[Side]:
    """Return the recordings with names, which two have and one does not need."""
    names = "AB" if len(recordings) > 1 else ("",)
    return [
        Side(name, each, Parts(each), views_of(each.streams, facets))
        for name, each in zip(names, recordings, strict=True)
    ]
