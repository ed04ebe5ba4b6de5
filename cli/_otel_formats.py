"""An analysis under OpenTelemetry's names, in the formats of `analyze`, and as OTLP/JSON."""

import sys
from io import BytesIO
from typing import TYPE_CHECKING

import click

from tokentape.cli._json_text import json_text
from tokentape.cli._table_formats import csv

if TYPE_CHECKING:
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
    from tokentape.cli._analysis_formats import markdown

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
            if form == "csv":
                click.echo(csv(table), nl=False)
            else:
                click.echo("\n".join(markdown(table)))
