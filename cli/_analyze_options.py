"""Which options of `analyze` go together: one that would change nothing is refused, and never ignored."""

import click

from tokentape.cli._otel_formats import OTLP

_UNGROUPED = (*OTLP, "parquet")
"""Formats that have rows of streams or series of their own, and no groups."""


def check_options(
    *,
    form: str,
    names: str,
    by: tuple[str, ...] | None,
    slo: dict[str, float] | None,
    output: str | None,
    overwrite: bool,
) -> None:
    """Raise UsageError, with a line that says what fits, for options of which one would be ignored."""
    if output is not None and (form != "parquet" or by is not None or slo is not None):
        raise click.UsageError(
            "expected --format parquet with --output, and no --by, --slo or --json: it has whole tables"
        )
    if output is not None and names == "otel":
        raise click.UsageError("expected --output without --names otel: whole tables have tokentape's names")
    if overwrite and output is None:
        raise click.UsageError("expected --output with --overwrite: nothing else is written to a folder")
    if slo is not None and form == "parquet":
        raise click.UsageError("expected --slo without --format parquet, which has the streams")
    if slo is not None and (names == "otel" or form in OTLP):
        raise click.UsageError(
            "expected --slo with --names tokentape and a format of tables: OpenTelemetry has no names for "
            "attainment and goodput"
        )
    if by is not None and form in _UNGROUPED:
        what = "which has the streams" if form == "parquet" else "which has what OpenTelemetry groups by"
        raise click.UsageError(f"expected --by without --format {form}, {what}")
