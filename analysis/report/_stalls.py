"""Stalls: how many gaps a reader would have noticed, which no percentile of all gaps need show.

The invariant: what is counted is what `Recording.stalls` lists, of the streams that have gaps.
"""

from typing import TYPE_CHECKING

from tokentape.analysis._schema import STREAM_KEY
from tokentape.analysis.report._sparkline import STALL_MS
from tokentape.analysis.report._text import duration
from tokentape.cassette import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokentape.analysis._recording import Recording


def stalled(sides: "Sequence[tuple[str, Recording]]") -> str:
    """Return how many gaps were long, in how many streams, and the longest; "" where there is no gap."""
    parts = [
        _stalled(side, recording)
        for side, recording in sides
        if recording.streams["gap_max_ms"].notna().any()
    ]
    return f"Gaps over {duration(STALL_MS)}: {'; '.join(parts)}." if parts else ""


def _stalled(side: str, recording: "Recording") -> str:
    longest_ms = recording.streams["gap_max_ms"]
    found = recording.stalls(STALL_MS)
    hit = len(found[STREAM_KEY].drop_duplicates())
    of = f"{side} " if side else ""
    streams = counted(int(longest_ms.notna().sum()), "stream", grouped=True)
    longest = f"the longest{'' if len(found) else ' gap'} {duration(float(longest_ms.max()))}"
    return f"{of}{len(found):,} in {hit:,} of {streams}, {longest}"
