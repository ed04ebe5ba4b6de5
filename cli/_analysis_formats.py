"""A summary, or how objectives were met, in the formats of other programs."""

import sys
from io import BytesIO
from typing import TYPE_CHECKING

import click

from tokentape.cli._console import print_table
from tokentape.cli._json_text import json_text
from tokentape.cli._table_formats import csv, markdown, plain_rows

if TYPE_CHECKING:
    from tokentape.analysis import Recording

FORMATS = ("table", "json", "csv", "markdown", "parquet")


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
