"""An analysis under OpenTelemetry's names, in the formats of `analyze`, and as OTLP/JSON."""

import sys
from io import BytesIO
from typing import TYPE_CHECKING

import click

from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable
from tokentape.cli._table_formats import csv, markdown

if TYPE_CHECKING:
    import pandas as pd

    from tokentape.analysis import Recording

NAMES = ("tokentape", "otel")
OTLP = ("otlp", "otlp-traces")


def print_otel(recording: "Recording", by: "tuple[str, ...] | None", form: str) -> None:
    """Print summary, tables (json), streams (parquet) or an OTLP request."""
    from tokentape.analysis.opentelemetry import (
        otel_dict,
        otel_summary,
        otel_table,
        otlp_metrics,
        otlp_traces,
    )

    match form:
        case "otlp":
            click.echo(json_text(otlp_metrics(recording)))
        case "otlp-traces":
            click.echo(json_text(otlp_traces(recording)))
        case "json":
            click.echo(json_text(otel_dict(recording.as_dict(by))))
        case "parquet":
            if sys.stdout.isatty():
                raise click.UsageError("expected a file or a pipe behind --format parquet, found a terminal")
            spool = BytesIO()
            otel_table(recording.streams).to_parquet(spool)
            click.echo(spool.getvalue(), nl=False)
        case _:
            table = otel_summary(recording.summary(by)).reset_index()
            table.insert(list(table.columns).index("metric") + 1, "unit", table["metric"].map(_unit))
            if form == "csv":
                click.echo(csv(table), nl=False)
            elif form == "markdown":
                click.echo("\n".join(markdown(table)))
            else:
                from tokentape.cli._console import print_table

                print_table(_table(table))


def _unit(metric: str) -> str:
    """Return the unit of a row, as the conventions write it: what they name are seconds or tokens."""
    if metric.endswith("_ms"):
        return "ms"
    if metric == "tokens_per_s":
        return "{token}/s"
    return "{token}" if metric.endswith("tokens") else "s"


def _table(summary: "pd.DataFrame") -> ShownTable:
    """Return a summary as a table for a terminal; seconds have as many places as milliseconds need."""
    import pandas as pd

    names = [str(name) for name in summary.columns]
    numbers = [name for name in names if pd.api.types.is_numeric_dtype(summary[name].dtype)]
    at = names.index("metric")
    table = ShownTable(
        [[safe_text(name) for name in names[:at]], names[at : at + 2]],
        names[at + 2 :],
        words=set(names) - set(numbers),
    )
    for row in summary.to_dict("records"):
        shown = [
            ""
            if pd.isna(value)
            else f"{value:,.4g}"
            if isinstance(value, float) and abs(value) < 1000
            else f"{value:,.0f}"
            if name in numbers
            else safe_text(value)
            for name, value in row.items()
        ]
        table.add([shown[:at], shown[at : at + 2]], shown[at + 2 :])
    return table
