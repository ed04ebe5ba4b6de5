from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from tokentape import cassette
from tokentape.cassette import counted
from tokentape.cli._files import opener
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._redacted import redacted_json, redacted_table
from tokentape.cli._safe_text import safe_text

if TYPE_CHECKING:
    from tokentape.recorder.redaction import Rules


@click.command(short_help="Copy a cassette without its secrets.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--pattern", "patterns", metavar="NAME=REGEX", multiple=True,
              help="Replace also what matches this regular expression (repeatable).")  # fmt: skip
@click.option("--rules", metavar="FILE", help="Replace also what the rules in this TOML file describe.")
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Print what was replaced as JSON.")
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    target: str,
    patterns: tuple[str, ...],
    rules: str | None,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Copy a cassette, with placeholders for secrets in requests and in answers, also in their bodies.

    What counts as a secret is in docs/redaction.md. They are found across the pieces of an answer, and
    where the events of a stream bring them in parts. Placeholders are as long as what they replace, so
    that pieces keep their sizes; answers with a content-encoding are encoded again and do not.

    IN and OUT may be - for standard input and output. Exit code 3: a part of IN is damaged, or could not
    be looked into; stderr says which.

    \b
    tokentape redact session.tape public.tape
    tokentape redact session.tape public.tape --pattern customer='ACME-[0-9]{6}'
    """
    from tokentape.recorder.redaction import Redactor, RulesError, redact_cassette

    try:
        redactor = Redactor(_rules(patterns, rules))
    except RulesError as error:
        raise click.UsageError(safe_text(error)) from None
    check_writable(target, [source], overwrite=overwrite)
    with ExitStack() as stack:
        read = opener(source, stack)  # it is read twice
        with read():  # what is no cassette is said before anything is written
            pass
        with cassette.Rewriter(target, overwrite=overwrite) as out:
            found = redact_cassette(read, out, redactor)
    click.echo(redacted_json(found) if as_json else redacted_table(found), err=target == "-")
    if found.reencoded:
        click.echo(
            f"encoded again, with other sizes of pieces: {counted(found.reencoded, 'answer')}", err=True
        )
    if said_lost(found.lost):
        ctx.exit(3)


def _rules(patterns: tuple[str, ...], path: str | None) -> "Rules":
    from tokentape.recorder.redaction import default_rules, load_rules, pattern_rules

    more = pattern_rules(patterns)
    return (more + load_rules(path) if path else more) + default_rules()
