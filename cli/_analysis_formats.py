"""A summary, or how objectives were met, in the formats of other programs."""

import sys
from io import BytesIO
from math import isfinite
from typing import TYPE_CHECKING, Any

import click

from tokentape.cli._console import print_table
from tokentape.cli._extras import needs
from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text
from tokentape.cli._table_formats import csv, plain_rows

if TYPE_CHECKING:
    import pandas as pd

    from tokentape.analysis import Recording

FORMATS = ("table", "json", "csv", "markdown", "parquet")


def objectives_of(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001
    text: str | None,
) -> dict[str, float] | None:
    """Return objectives by name; a usage error says what was expected, before anything is read."""
    if text is None:
        return None
    with needs("analysis"):
        from tokentape.analysis import OBJECTIVES
    found: dict[str, float] = {}
    for each in text.split(","):
        name, _, bound = (part.strip() for part in each.partition("="))
        try:
            found[name] = float(bound)
        except ValueError:
            raise click.BadParameter(f"expected NAME=NUMBER such as ttft_ms=500, found {each!r}") from None
        if name not in OBJECTIVES:
            raise click.BadParameter(f"expected one of {', '.join(OBJECTIVES)}; found {name!r}")
        if not isfinite(found[name]):
            raise click.BadParameter(f"expected a number that is finite, found {each!r}")
    return found


def printed(
    recording: "Recording", by: tuple[str, ...] | None, slo: dict[str, float] | None, form: str
) -> None:
    """Print how the objectives were met or else the summary; parquet has the streams, json all of these."""
    if form == "parquet":
        _print_parquet(recording)
        return
    if slo is None and form == "json":
        click.echo(json_text(recording.as_dict(by)))
        return
    if slo is None and form == "table":
        from tokentape.cli._latency_table import latency_table

        print_table(latency_table(recording, by))
        return
    table = (recording.summary(by) if slo is None else recording.slo(by=by, **slo)).reset_index()
    match form:
        case "csv":
            click.echo(csv(table), nl=False)
        case "json":
            click.echo(json_text(plain_rows(table)))
        case "markdown":
            click.echo("\n".join(markdown(table)))
        case _:
            from tokentape.cli._objectives_table import objectives_table

            print_table(objectives_table(table, slo or {}, by))


def _print_parquet(recording: "Recording") -> None:
    if sys.stdout.isatty():
        raise click.UsageError("expected a file or a pipe behind --format parquet, found a terminal")
    spool = BytesIO()
    recording.streams.to_parquet(spool)
    click.echo(spool.getvalue(), nl=False)


def markdown(table: "pd.DataFrame") -> list[str]:
    """Return the lines of a table that GitHub shows as one, and a terminal, too."""
    import pandas as pd

    def cell(value: Any) -> str:
        if pd.isna(value):
            return ""
        text = f"{value:.4g}" if isinstance(value, float) and abs(value) < 1000 else safe_text(value)
        return text.replace("|", "\\|")

    rows = [[cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    head = [str(name) for name in table.columns]
    widths = [max(3, *(len(row[at]) for row in [head, *rows])) for at in range(len(head))]
    lines = [[name.ljust(width) for name, width in zip(row, widths, strict=True)] for row in [head, *rows]]
    lines.insert(1, ["-" * width for width in widths])
    return [f"| {' | '.join(line)} |" for line in lines]
