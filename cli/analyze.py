import click

from tokentape.cli._analysis_formats import FORMATS, objectives_of, printed
from tokentape.cli._extras import needs
from tokentape.cli._files import once_from_stdin
from tokentape.cli._json_text import json_text
from tokentape.cli._lost import said_lost
from tokentape.cli._otel_formats import NAMES, OTLP, print_otel


@click.command(short_help="Print the latency table of cassettes.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option(
    "--by", metavar="COLUMN", help="A table for each value of this column: model, route, hour, label.NAME ..."
)
@click.option(
    "--slo",
    metavar="LIST",
    callback=objectives_of,
    help="Attainment and goodput instead, such as ttft_ms=500,gap_ms=200.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice((*FORMATS, *OTLP)),
    default="table",
    show_default=True,
    help="csv and markdown have the summary, parquet the streams; otlp is for OpenTelemetry.",
)
@click.option(
    "--names", type=click.Choice(NAMES), default="tokentape", show_default=True,
    help="otel: OpenTelemetry's names and units, where it has them.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print exchanges, streams and summary as one object.")
@click.option(
    "--where",
    metavar="CONDITION",
    multiple=True,
    help="Only exchanges such as model=gpt-4o*, status>=400 or label.env=prod (repeatable).",
)
@click.option(
    "--definitions", metavar="TOOL", help="TTFT, ITL, TPOT and E2E as aiperf, guidellm, vllm or servebench."
)
@click.option("--dialect", metavar="NAME", help="Read all answers as this API instead of finding out.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    by: str | None,
    as_json: bool,
    slo: dict[str, float] | None,
    form: str,
    names: str,
    where: tuple[str, ...],
    definitions: str | None,
    dialect: str | None,
) -> None:
    """Print time to first token, gaps, ITL and tokens of the streams in one or more cassettes.

    FILE may be a folder, a pattern, or - for standard input. What every number means is in
    docs/metrics.md. Exit code 3: a cassette is damaged; the table is of what is whole, and stderr says
    what was lost.

    \b
    tokentape analyze session.tape
    tokentape analyze tapes --where "model=gpt-4o*" --where "status=200"
    tokentape analyze session.tape --slo ttft_ms=500,gap_ms=200 --by model
    tokentape analyze before.tape after.tape --by cassette
    tokentape analyze session.tape --format otlp > metrics.json
    tokentape analyze session.tape --json | jq '.streams[] | {ttft_ms, ttft_ms_why}'
    """
    with needs("analysis"):
        from tokentape.analysis import DIALECTS, GROUPINGS, load
    if by is not None and by not in GROUPINGS and not by.startswith("label."):
        raise click.BadParameter(f"expected one of {', '.join(GROUPINGS)}; found {by!r}", param_hint="--by")
    if dialect is not None and dialect not in DIALECTS:
        raise click.BadParameter(
            f"expected one of {', '.join(DIALECTS)}; found {dialect!r}", param_hint="--dialect"
        )
    try:
        recording = load(files, where=where, definitions=definitions, dialect=dialect)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    if form in OTLP or (names == "otel" and slo is None):
        print_otel(recording, by, "json" if as_json and form not in OTLP else form)
    elif slo is not None or form not in ("table", "json"):
        printed(recording, by, slo, "json" if as_json else form)
    elif as_json or form == "json":
        click.echo(json_text(recording.as_dict(by)))
    else:
        from tokentape.cli._console import print_table
        from tokentape.cli._latency_table import latency_table

        print_table(latency_table(recording, by))
    if said_lost(recording.lost):
        ctx.exit(3)
