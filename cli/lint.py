import click

from tokentape import cassette
from tokentape.cli._files import once_from_stdin
from tokentape.cli._json_text import json_text
from tokentape.cli._linted import as_objects, finding_lines, lint_file, summary_line
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
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each exchange.")
@click.option("--all", "each", is_flag=True, help="Print every finding, also those that say the same again.")
@click.pass_context
def command(
    ctx: click.Context,
    files: tuple[str, ...],
    rules: str | None,
    where: tuple[str, ...],
    as_json: bool,
    each: bool,
) -> None:
    """Hold the streams in cassettes against the documented chunk: fields, order, ids, finish, usage, end.

    A line a finding: what was expected, and what was found. Events count from 1. What several events of a
    stream have in common is one line. stderr says what each exchange was held against, and why: by its
    host, model or shape, else by its dialect. Answers that are no event stream, and HTTP errors, are
    skipped. docs/lint.md has every rule and every code. FILE may be - for standard input.

    Exit code: 0 nothing found, 1 something found, 2 usage, or a file could not be read. 3: a cassette is
    damaged, whatever was found; what is whole was looked at, and stderr says what was lost. Of several
    files 2 wins, then 3.

    \b
    tokentape lint session.tape
    tokentape lint session.tape --rules stepfun
    tokentape lint *.tape --json | jq '.[].findings[].code' -r | sort | uniq -c
    """
    lost: list[str] = []
    objects: list[dict[str, object]] = []
    any_found = failed = False
    for file in files:
        try:
            for found in lint_file(file, RULE_SETS[rules] if rules else None, where, lost):
                any_found = any_found or bool(found.linted.findings)
                click.echo(safe_text(summary_line(found)), err=True)
                if as_json:
                    objects.append(as_objects(found, each=each))
                    continue
                for line in finding_lines(found, each=each):
                    click.echo(safe_text(line))
        except cassette.CassetteError as error:
            failed = True
            click.echo(f"Error: {safe_text(error)}", err=True)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json_text(objects))
    any_lost = said_lost(lost)
    ctx.exit(2 if failed else 3 if any_lost else int(any_found))
