"""The latency table of a recording, for a terminal. It computes nothing: all numbers are the summary's."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from tokentape.cassette import counted
from tokentape.cli._prose import Prose
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable

if TYPE_CHECKING:
    from tokentape.analysis import Recording

_METRICS = {
    "ttft_ms": "TTFT ms",
    "gap_ms": "gap ms",
    "read_gap_ms": "gap, coalesced left out ms",
    "itl_ms": "ITL ms",
    "e2e_ms": "last token ms",
    "output_tokens": "output tokens",
    "tokens_per_s": "tokens/s",
}
_TOOL_METRICS = _METRICS | {"tpot_ms": "TPOT ms", "e2e_ms": "E2E ms"}
"""With the definitions of another tool, of which many have an end of their own."""
_COUNTS = ("output_tokens",)
_PLACES = ("p50", "p90", "p99", "max")


def latency_table(recording: "Recording", by: Sequence[str] | None = None) -> RenderableType:
    """Return the summary of a recording as a table, with how streams ended and what ITL means below it.

    `by` groups it by columns of `streams`; raises ValueError if that cannot be.
    """
    import pandas as pd

    summary = recording.summary(by)
    columns = list(by or ())
    table = ShownTable([[safe_text(column) for column in columns], [""]], [*_PLACES, "n"])
    labels = _TOOL_METRICS if recording.definitions else _METRICS
    groups: Any = [((), summary)]
    if columns:
        groups = summary.groupby(level=columns if len(columns) > 1 else columns[0], sort=False, dropna=False)
        groups = ((name if len(columns) > 1 else (name,), rows) for name, rows in groups)
    for names, rows in groups:
        metrics = rows.droplevel(columns) if columns else rows
        shown = ["" if pd.isna(name) else safe_text(name) for name in names]
        for metric, label in labels.items():
            row: Any = metrics.loc[metric]
            numbers = [_number(row[place], is_count=metric in _COUNTS) for place in _PLACES]
            if not row["n"]:
                numbers[0] = Text(str(row["why"]), style="yellow")
            table.add([shown, [label]], [*numbers, f"{row['n']}"])
    return Group(table, *_words(recording))


def _words(recording: "Recording") -> list[Prose]:
    from tokentape.analysis import DEFINITIONS, ITL_DEFINITION

    streams = recording.streams
    tool = DEFINITIONS[recording.definitions] if recording.definitions else None
    unparsed = int(recording.exchanges["unparsed"].sum())
    untimed = int((streams["first_byte_ms_why"] == "not-timed").sum())
    return [
        Prose(f"streams: {len(streams)}; {_counts(streams['outcome'])}"),
        Prose(f"tokens from: {_counts(streams['tokens_from'])}"),
        *([Prose(f"unparsed: {counted(unparsed, 'event')} that could not be read")] * (unparsed > 0)),
        *(
            [Prose(f"not timed: {counted(untimed, 'stream')}, from a format without such times")]
            * (untimed > 0)
        ),
        Prose(_throughput(recording.throughput().loc["all"])),
        Prose(f"ITL: {tool.itl_text if tool else ITL_DEFINITION}"),
        Prose("times are from the moment at which the request was complete"),
    ]


def _throughput(rates: Any) -> str:
    if math.isnan(rates["requests_per_s"]):
        return "throughput: not known"
    source = f" (from {rates['tokens_from']})" if rates["tokens_from"] else ""
    return (
        f"throughput: {rates['requests_per_s']:,.2f} requests/s and "
        f"{rates['output_tokens_per_s']:,.1f} tokens/s{source} in {rates['window_s']:,.1f} s"
    )


def _counts(column: Any) -> str:
    counts = sorted(column.value_counts().items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {name}" for name, count in counts if count) or "none"


def _number(value: float, *, is_count: bool) -> Text:
    if math.isnan(value):
        return Text()
    return Text(f"{value:,.0f}" if is_count and value.is_integer() else f"{value:,.1f}")
