"""The latency table of a recording, for a terminal. It computes nothing: all numbers are the summary's."""

from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tokentape.cli._plural import counted
from tokentape.cli._safe_text import safe_text

if TYPE_CHECKING:
    from tokentape.analysis import Recording

_METRICS = (
    ("ttft", "_ms", "TTFT", "ms"),
    ("gap", "_ms", "gap", "ms"),
    ("gap_uncoalesced", "_ms", "gap, coalesced left out", "ms"),
    ("itl", "_ms", "ITL", "ms"),
    ("e2e", "_ms", "last token", "ms"),
    ("output_tokens", "", "output tokens", ""),
    ("tokens_per_s", "", "tokens/s", ""),
)
_PLACES = ("p50", "p90", "p99", "max")


def latency_table(recording: "Recording", by: str | None = None) -> RenderableType:
    """Return the summary of a recording as a table, with how streams ended and what ITL means below it.

    `by` groups it by a column of `streams`; raises ValueError if that cannot be.
    """
    summary = recording.summary(by)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    if by is not None:
        table.add_column(by, overflow="fold")
    table.add_column("")
    for place in _PLACES:
        table.add_column(place, justify="right", no_wrap=True)
    table.add_column("n", justify="right", no_wrap=True)
    for name, row in zip(summary.index, summary.to_dict("records"), strict=True):
        for position, (metric, unit, label, shown) in enumerate(_METRICS):
            group = (
                [Text(safe_text("" if name is None else name)) if position == 0 else Text()]
                if by is not None
                else []
            )
            cells = [_number(row[f"{metric}_{place}{unit}"]) for place in _PLACES]
            if not row[f"{metric}_n"]:
                cells[0] = Text(str(row[f"{metric}_why"]), style="yellow")
            table.add_row(*group, Text(f"{label} {shown}".rstrip()), *cells, Text(f"{row[f'{metric}_n']}"))
        table.add_section()
    return Group(table, *_words(recording))


def _words(recording: "Recording") -> list[Text]:
    from tokentape.analysis import ITL_DEFINITION

    streams = recording.streams
    unparsed = int(recording.exchanges["unparsed"].sum())
    are = "is" if unparsed == 1 else "are"
    return [
        Text(f"streams: {len(streams)}; {_counts(streams['outcome'])}"),
        Text(f"tokens from: {_counts(streams['tokens_from'])}"),
        *(
            [Text(f"unparsed: {counted(unparsed, 'event')} {are} not the JSON of their dialect")]
            * (unparsed > 0)
        ),
        Text(f"ITL: {ITL_DEFINITION}"),
        Text("times are from the moment at which the request was complete"),
    ]


def _counts(column: Any) -> str:
    counts = sorted(column.value_counts().items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {name}" for name, count in counts if count) or "none"


def _number(value: float) -> Text:
    return Text("" if value != value else f"{value:,.1f}")  # noqa: PLR0124  (NaN is what does not equal itself)
