import click

from tokentape.cli._condition import (
    Condition,
    comparison_condition,
    fail_if_option,
    failed_comparison,
    said_failed,
)
from tokentape.cli._extras import needs
from tokentape.cli._files import once_from_stdin
from tokentape.cli._form_options import form_options
from tokentape.cli._lost import said_lost
from tokentape.cli._reading_options import Loading, by_option, reading_options
from tokentape.cli._table_formats import FORMATS, print_tables


@click.command(short_help="Say whether a recording is slower than another.")
@click.argument("files", metavar="A B", nargs=2, callback=once_from_stdin)
@by_option("Compare each value of this column apart, such as model (repeatable).")
@fail_if_option(comparison_condition, example="ttft_p90 > +10%")
@form_options(
    FORMATS, text="csv has the quantiles.", json_text="Print quantiles, effects and verdict as one object."
)
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, str],
    by: tuple[str, ...] | None,
    fail_if: tuple[Condition, ...],
    form: str,
    load: Loading,
) -> None:
    """Compare the latency of B with that of A: medians, p90 and p99, with 95% intervals over requests.

    A and B are cassettes, folders or patterns, or - for standard input. docs/metrics.md says how intervals
    are made, and what conditions there are. Exit code 1: a condition of --fail-if holds, or cannot be told;
    3: a cassette is damaged, and stderr says what was lost. Of both, 1 wins.

    \b
    tokentape compare before.tape after.tape
    tokentape compare before.tape after.tape --by model --by hour --where "status=200"
    tokentape compare before.tape after.tape --fail-if "ttft_p90 > +10%" --fail-if "failed > +1pp"
    tokentape compare before.tape after.tape --fail-if "surely e2e_p50 > +50ms"
    """
    with needs("analysis"):
        from tokentape.analysis import compare
    one, other = map(load, files)
    found = compare(one, other, by=by)
    tables = {name: getattr(found, name).reset_index() for name in ("quantiles", "effects", "failures")}
    if form != "table":
        more = {"verdict": found.verdict, "paired": found.paired, "left_out": list(found.left_out)}
        print_tables(tables, more, form)
    else:
        from tokentape.cli._comparison_table import comparison_table
        from tokentape.cli._console import print_table

        print_table(comparison_table(found))
    lost = said_lost([*one.lost, *other.lost])
    failed = said_failed([line for condition in fail_if for line in failed_comparison(condition, found)])
    ctx.exit(1 if failed else 3 if lost else 0)
