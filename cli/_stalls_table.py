"""Stalls, in the formats of `tokentape analyze`. It computes nothing: all rows are `Recording.stalls`'."""

from typing import TYPE_CHECKING

import click
from rich.console import Group, RenderableType

from tokentape.cassette import counted
from tokentape.cli._console import print_table
from tokentape.cli._json_text import json_text
from tokentape.cli._prose import Prose
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable
from tokentape.cli._table_formats import csv, plain_rows

if TYPE_CHECKING:
    import pandas as pd

    from tokentape.analysis import Recording

_FORMATS = ("table", "json", "csv", "markdown")


def check_stalls(bound: float | None, form: str, *, summarised: bool) -> None:
    """Refuse what does not go with a table of single gaps, with a line that says what does."""
    if bound is not None and (summarised or form not in _FORMATS):
        raise click.UsageError(
            f"expected --stalls with --format {', '.join(_FORMATS[:-1])} or {_FORMATS[-1]}, and without "
            "--by, --slo and --names: each row is one gap, and says its model"
        )


def print_stalls(recording: "Recording", bound: float, form: str) -> None:
    """Print a row for each gap above `bound` ms, the longest first."""
    from tokentape.cli._table_formats import markdown

    stalls = recording.stalls(bound)
    match form:
        case "json":
            click.echo(json_text(plain_rows(stalls)))
        case "csv":
            click.echo(csv(stalls), nl=False)
        case "markdown":
            click.echo("\n".join(markdown(stalls)))
        case _:
            print_table(_table(stalls, bound, len(recording.streams)))


def _table(stalls: "pd.DataFrame", bound: float, streams: int) -> RenderableType:
    import pandas as pd

    from tokentape.analysis._schema import STREAM_KEY

    cassette, *cells = map(str, stalls.columns)
    shown = ShownTable([[cassette]], cells, words=["model"])
    for row in stalls.itertuples(index=False, name=None):
        file, *rest = ("" if pd.isna(value) else _cell(value) for value in row)
        shown.add([[file]], rest)
    stalled = len(stalls[STREAM_KEY].drop_duplicates())
    return Group(
        shown,
        Prose(f"{counted(len(stalls), 'stall')} in {stalled:,} of {counted(streams, 'stream')}"),
        Prose(
            f"stall: generated text that came more than {bound:g} ms after the text before it; "
            "token_event: its number in the stream, from 0; t_ms: when it came, from the request"
        ),
    )


def _cell(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else safe_text(value)
