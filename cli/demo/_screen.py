"""What the demo shows: progress while it runs, then text, latency table and comparison."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from tokentape.cli.demo._loop import SPEEDS, Loop
from tokentape.cli.demo._upstream import MODEL, PROMPT, REPLY
from tokentape.cli.demo._verdict import TRANSIT_MS, Row

_MARK = {True: ("✓", "green"), False: ("✗", "bold red")}


class Steps:
    """The progress display: a line for each step, filling as its text arrives."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, step: str, *, streams: bool = False) -> None:
        """Finish the line above and begin another."""
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)
        self._task = self._progress.add_task(step, total=len(REPLY) if streams else None)

    def text(self, part: str) -> None:
        """Go on by a part of the text."""
        if self._task is not None:
            self._progress.advance(self._task, len(part))


@contextmanager
def progress(console: Console) -> Iterator[Steps]:
    """Show the steps while the block runs; nothing where the console is not a terminal."""
    columns = (
        SpinnerColumn(finished_text="✓"),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        yield Steps(shown)


def text_panel(text: str) -> RenderableType:
    """Return the conversation."""
    return Panel(
        Group(Text(PROMPT, style="bold"), Text(), Text(text)),
        title=f"the stream that {MODEL} sent",
        title_align="left",
        border_style="dim",
        width=88,
    )


def comparison(rows: list[Row], loop: Loop) -> RenderableType:
    """Return recorded and replayed side by side, each replayed number with whether it agrees."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    table.add_column("recorded", justify="right", no_wrap=True)
    for speed in SPEEDS:
        table.add_column(f"at {speed}x", justify="right", no_wrap=True)
        table.add_column("expected", justify="right", style="dim", no_wrap=True)
        table.add_column("")
    for row in rows:
        cells = [Text(row.name), _value(row.recorded)]
        for position, agrees in enumerate(row.agrees):
            expected = Text()
            if row.allowed is not None:
                expected = Text(f"{row.expected[position]:,.1f} ±{row.allowed[position]:.1f}")
            cells += [_value(row.replayed[position]), expected, Text(*_MARK[agrees])]
        table.add_row(*cells)
    late = [
        Text(f"lateness at {speed}x: p50 {ms['p50']:.2f}, p99 {ms['p99']:.2f}, max {ms['max']:.2f} ms")
        for speed, ms in zip(SPEEDS, loop.lateness_ms, strict=True)
    ]
    return Group(
        Text("\nrecorded, and replayed", style="bold"),
        table,
        *late,
        Text(f"±: that lateness, and up to {TRANSIT_MS:.0f} ms for a moment's way to the recorder"),
    )


def picture(console: Console) -> str:
    """Return what a recording console has shown as SVG that loads no fonts from elsewhere."""
    svg = console.export_svg(title="tokentape demo")
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


def _value(value: object) -> Text:
    return Text(f"{value:,.1f}" if isinstance(value, float) else str(value))
