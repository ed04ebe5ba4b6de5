import click

from tokentape.cli._condition import checked, failures
from tokentape.cli._extras import needs
from tokentape.cli._json_text import json_text
from tokentape.cli._lost import said_lost


def _conditions(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG001  (click's signature)
    try:
        return tuple(map(checked, texts))
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


@click.command(short_help="Say whether a recording is slower than another.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--by", metavar="COLUMN", help="Compare each value of this column apart, such as model.")
@click.option(
    "--where", metavar="CONDITION", multiple=True, help="Only exchanges such as status=200 (repeatable)."
)
@click.option(
    "--fail-if",
    metavar="CONDITION",
    multiple=True,
    callback=_conditions,
    help="Exit with 1 if it holds, such as 'ttft_p90 > +10%' (repeatable).",
)
@click.option("--json", "as_json", is_flag=True, help="Print quantiles, effects and verdict as one object.")
@click.pass_context
def command(
    ctx: click.Context,
    a: str,
    b: str,
    by: str | None,
    where: tuple[str, ...],
    fail_if: tuple[str, ...],
    as_json: bool,
) -> None:
    """Compare the latency of B with that of A: medians, p90 and p99, with 95% intervals over requests.

    A and B are cassettes, folders or patterns. docs/metrics.md says how intervals are made. Exit code 1: a
    condition of --fail-if holds, or cannot be told; 3: a cassette is damaged.

    \b
    tokentape compare before.tape after.tape
    tokentape compare before.tape after.tape --fail-if "ttft_p90 > +10%"
    """
    with needs("analysis"):
        from tokentape.analysis import compare, load
        from tokentape.cli._analysis_formats import markdown
    try:
        one, other = (load(path, where=where) for path in (a, b))
        found = compare(one, other, by=by)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    tables = {name: getattr(found, name).reset_index() for name in ("quantiles", "effects")}
    if as_json:
        rows = {
            name: table.astype("object").where(table.notna(), None).to_dict("records")
            for name, table in tables.items()
        }
        click.echo(json_text({**rows, "verdict": found.verdict, "paired": found.paired}))
    else:
        click.echo("\n\n".join("\n".join(markdown(table)) for table in tables.values()))
        click.echo(f"\n{found.verdict}{' Requests are paired: B is a replay of A.' if found.paired else ''}")
    lost = said_lost([*one.lost, *other.lost])
    failed = [line for condition in fail_if for line in failures(condition, found.quantiles)]
    for line in failed:
        click.echo(f"failed: {line}", err=True)
    ctx.exit(1 if failed else 3 if lost else 0)
