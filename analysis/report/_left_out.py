"""What a page does not show: missing numbers, lost pieces, and what it was told to omit."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tokentape.analysis.report._numbers import COUNTED_AS
from tokentape.analysis.report._terms import LABELS
from tokentape.analysis.report._text import counts
from tokentape.cassette import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tokentape.analysis._recording import Recording

MOST_LINES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """How many streams of a side have no number for a metric, for one reason."""

    side: str
    metric: str
    reason: str
    streams: int


def missing(sides: "Sequence[tuple[str, Recording]]") -> list[Missing]:
    """Return a row for each metric and reason."""
    return [
        Missing(side=side, metric=metric, reason=reason, streams=count)
        for metric in LABELS
        for side, recording in sides
        for reason, count in counts(recording.streams[f"{COUNTED_AS.get(metric, metric)}_why"])
    ]


def lost_lines(recordings: "Sequence[Recording]") -> tuple[list[str], int]:
    """Return what was lost from the cassettes, a line each, and how many lines more there are."""
    lines = [line for recording in recordings for line in recording.lost]
    return lines[:MOST_LINES], max(0, len(lines) - MOST_LINES)


def unread(sides: "Sequence[tuple[str, Recording]]") -> list[str]:
    """Return what of the answers could not be used, a sentence each."""
    said = []
    for side, recording in sides:
        of = f"{side}: " if side else ""
        if unparsed := int(recording.exchanges["unparsed"].sum()):
            events = counted(unparsed, "event", grouped=True)
            said.append(f"{of}{events} could not be read: not the JSON that the API speaks.")
        if untimed := int((recording.streams["first_byte_ms_why"] == "not-timed").sum()):
            streams = counted(untimed, "stream", grouped=True)
            said.append(f"{of}{streams} came from a format without such times.")
        undated = int(recording.streams["started_at"].isna().sum())
        if undated and undated < len(recording.streams):
            streams = counted(undated, "stream", grouped=True)
            said.append(f"{of}{streams} without a time of day are in no plot over time.")
    return said
