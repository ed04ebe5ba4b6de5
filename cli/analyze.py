import click

from tokentape.cli._analysis_formats import FORMATS, printed
from tokentape.cli._analyze_options import check_options
from tokentape.cli._files import once_from_stdin
from tokentape.cli._finite import Finite
from tokentape.cli._form_options import form_options
from tokentape.cli._lost import said_lost
from tokentape.cli._many import Many, many_options
from tokentape.cli._objectives_option import objectives_of
from tokentape.cli._otel_formats import NAMES, OTLP, print_otel
from tokentape.cli._reading_options import Loading, by_option, reading_options
from tokentape.cli._stalls_table import check_stalls, print_stalls


@click.command(short_help="Print the latency table of cassettes.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@by_option("A table for each value: model, route, hour, prompt_size, label.NAME ... (repeatable).")
@click.option(
    "--slo",
    metavar="LIST",
    callback=objectives_of,
    help="Attainment and goodput instead, such as ttft_ms=500,gap_ms=200.",
)
@click.option(
    "--stalls", type=Finite(min=0), metavar="MS",
    help="Every gap between tokens above MS instead, the longest first.",
)  # fmt: skip
@form_options(
    (*FORMATS, *OTLP),
    text="csv and markdown have the summary, parquet the streams; otlp is for OpenTelemetry.",
    json_text="Print exchanges, streams and summary as one object.",
)
@click.option(
    "--names", type=click.Choice(NAMES), default="tokentape", show_default=True,
    help="otel: OpenTelemetry's names and units, where it has them.",
)  # fmt: skip
@reading_options
@many_options
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    by: tuple[str, ...] | None,
    slo: dict[str, float] | None,
    stalls: float | None,
    form: str,
    names: str,
    load: Loading,
    output: str | None,
    overwrite: bool,
    scheduler: str | None,
) -> None:
    """Print time to first token, gaps, ITL and tokens of the streams in one or more cassettes.

    FILE may be a folder, a pattern, or - for standard input. What every number means is in
    docs/metrics.md. Exit code 3: a cassette is damaged; the table is of what is whole, and stderr says
    what was lost.

    \b
    tokentape analyze session.tape
    tokentape analyze tapes --where "model=gpt-4o*" --where "status=200"
    tokentape analyze session.tape --slo ttft_ms=500,gap_ms=200 --by model --by hour
    tokentape analyze session.tape --stalls 400
    tokentape analyze session.tape --tokens tiktoken:o200k_base
    tokentape analyze before.tape after.tape --by cassette
    tokentape analyze tapes --format parquet -o tables
    tokentape analyze session.tape --format otlp > metrics.json
    tokentape analyze session.tape --json | jq '.streams[] | {ttft_ms, ttft_ms_why}'
    """
    check_options(form=form, names=names, by=by, slo=slo, output=output, overwrite=overwrite)
    check_stalls(stalls, form, summarised=by is not None or slo is not None or names == "otel")
    many = Many(files=files, load=load, scheduler=scheduler)
    if output is not None:
        ctx.exit(3 if said_lost(many.written(output, overwrite=overwrite)) else 0)
    recording = many.loaded(by, exact=form in ("json", "parquet") or stalls is not None)
    if stalls is not None:
        print_stalls(recording, stalls, form)
    elif form in OTLP or names == "otel":
        print_otel(recording, by, form)
    else:
        printed(recording, by, slo, form)
    if said_lost(recording.lost):
        ctx.exit(3)
