import click

from tokentape.cli._files import named_files, once_from_stdin
from tokentape.cli._findings_wanted import Pattern, PatternType, Wanted
from tokentape.cli._json_text import json_text
from tokentape.cli._left_out import say_none_chosen
from tokentape.cli._linted import LintedExchange, as_objects, each_line, lint_files
from tokentape.cli._lost import said_lost
from tokentape.cli._safe_text import safe_text
from tokentape.dialects.rules import RULE_SETS


@click.command(short_help="Say where streams depart from what their provider documents.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option("--rules", type=click.Choice(list(RULE_SETS)), help="Hold all streams against these rules.")
@click.option(
    "--where",
    metavar="CONDITION",
    multiple=True,
    help="Only exchanges such as model=step-*, status=200 or label.env=prod (repeatable).",
)
@click.option("--only", type=PatternType(), multiple=True, help="Only such findings (repeatable).")
@click.option("--ignore", type=PatternType(), multiple=True, help="No such findings (repeatable).")
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each exchange.")
@click.option("--all", "each", is_flag=True, help="Print every finding, also those that say the same again.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    rules: str | None,
    where: tuple[str, ...],
    only: tuple[Pattern, ...],
    ignore: tuple[Pattern, ...],
    as_json: bool,
    each: bool,
) -> None:
    """Hold the streams in cassettes against the documented chunk: fields, order, ids, finish, usage, end.

    A line a finding: what was expected, and what was found. What events and exchanges have in common is one
    line with the first of them, the rarest first. Events count from 1 (in the tables of analyze, from 0).
    A note is a field that an unknown provider adds. stderr says what the exchanges were held against, and
    why: by host, model or shape, else by dialect. Answers that are no event stream, and HTTP errors, are
    skipped. docs/lint.md has every rule and every code. FILE may be a folder, a pattern, or - for standard
    input.

    Exit code: 0 nothing found but notes, 1 something found, 2 usage, or a file could not be read. 3: a
    cassette is damaged, whatever was found; what is whole was looked at, and stderr says what was lost. Of
    several files 2 wins, then 3.

    \b
    tokentape lint session.tape
    tokentape lint tapes --where model=step-*
    tokentape lint session.tape --rules stepfun --only no-finish
    tokentape lint session.tape --ignore unknown-field:usage
    """
    objects: list[dict[str, object]] = []
    at_once = each and not as_json  # what is printed as it is found would go through a bar

    def take(found: LintedExchange) -> None:
        if as_json:
            objects.append(as_objects(found, each=each))
        for line in each_line(found) if at_once else ():
            click.echo(safe_text(line))

    wanted = Wanted(only=only, ignored=ignore)
    found_files, lost, errors = named_files(files)
    try:
        looked_at = lint_files(
            found_files, RULE_SETS[rules] if rules else None, where, wanted,
            take=take, lost=lost, errors=errors, shown=not at_once,
        )  # fmt: skip
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    for wrong in errors:
        click.echo(f"Error: {safe_text(wrong)}", err=True)
    for seen in looked_at:
        for line in () if as_json or each else seen.lines():
            click.echo(safe_text(line))
        click.echo(safe_text(seen.summary()), err=True)
    if as_json:
        click.echo(json_text(objects))
    if where and looked_at and not any(seen.exchanges for seen in looked_at):
        say_none_chosen([seen.file for seen in looked_at], where)
    any_lost = said_lost(lost)
    ctx.exit(2 if errors else 3 if any_lost else int(any(seen.levels["warning"] for seen in looked_at)))
