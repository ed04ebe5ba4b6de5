import click

from tokentape.cli._condition import (
    Condition,
    fail_if_option,
    failed_fidelity,
    fidelity_condition,
    said_failed,
)
from tokentape.cli._extras import needs
from tokentape.cli._files import once_from_stdin
from tokentape.cli._finite import Finite
from tokentape.cli._form_options import form_options
from tokentape.cli._lost import said_lost
from tokentape.cli._reading_options import Loading, where_option
from tokentape.cli._table_formats import FORMATS, print_tables


@click.command(short_help="Say how close a replay came to its recording.")
@click.argument("files", metavar="RECORDING REPLAY", nargs=2, callback=once_from_stdin)
@click.option(
    "--speed", type=Finite(min=0, min_open=True), default=1.0, show_default=True,
    help="At which it was replayed; gaps and drift are measured from this.",
)  # fmt: skip
@fail_if_option(fidelity_condition, example="gap_error_p99 > 2ms")
@form_options(FORMATS, text="How the numbers are printed.", json_text="Print the numbers as one object.")
@where_option
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, str],
    speed: float,
    fail_if: tuple[Condition, ...],
    form: str,
    load: Loading,
) -> None:
    """Compare the times of a replay with those of the recording that was replayed, read by read.

    REPLAY is what `tokentape record` recorded of the replay. The error of a gap is how much longer or
    shorter it was than recorded, over the speed; the offset of an exchange is how late all of it came, and
    drift is lateness that grows. docs/metrics.md defines all numbers. Exit code 1: the two do not have the
    same requests and answers, or a condition of --fail-if holds or cannot be told; 3: a cassette is damaged,
    and stderr says what was lost. Of both, 1 wins: also where they differ by what was lost.

    \b
    tokentape fidelity recorded.tape replayed.tape
    tokentape fidelity recorded.tape replayed.tape --fail-if "gap_error_p99 > 2ms"
    tokentape fidelity recorded.tape twice.tape --speed 2 --fail-if "drift_ppm > 500"
    """
    with needs("analysis"):
        from tokentape.analysis import fidelity
        from tokentape.cli._fidelity_table import fidelity_row, fidelity_table, without_nan
    recording, replay = map(load, files)
    lost = said_lost([*recording.lost, *replay.lost])
    try:
        found = fidelity(recording, replay, speed=speed)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    if form == "json":
        from tokentape.cli._json_text import json_text

        click.echo(json_text(without_nan(found)))
    elif form == "table":
        from tokentape.cli._console import print_table

        print_table(fidelity_table(found))
    else:
        print_tables({"fidelity": fidelity_row(found)}, {}, form)
    failed = said_failed([line for condition in fail_if for line in failed_fidelity(condition, found)])
    ctx.exit(1 if failed else 3 if lost else 0)
