from typing import Any

import click

from tokentape.cassette import CassetteError
from tokentape.cli._examination import examine
from tokentape.cli._files import once_from_stdin
from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text
from tokentape.cli._verdict_text import unusable_object, verdict_lines, verdict_object

_EXIT_CODES = {"whole": 0, "interrupted": 3, "torn": 3, "corrupt": 1, "unusable": 1}
_WORST_FIRST = (1, 3, 0)


@click.command(short_help="Check that cassettes are as they were written.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each file.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Check every record of one or more cassettes, and whether the records agree with each other.

    FILE may be - for standard input. Each file is one of these; with several, the worst decides the exit
    code:

    \b
    whole        all that was recorded is there, and the recorder said so            exit 0
    interrupted  as whole, but the recorder still runs or did not stop cleanly       exit 3
    torn         the file ends inside a record; everything before that is there      exit 3
    corrupt      a record is damaged, or missing: others count it or belong to it    exit 1

    Missing is a request, response or end that a piece or a close belongs to, a section record where
    numbers begin again, and pieces that an end or close counts and that are not there. A warning, which
    changes no exit code: times that go back, requests out of order, an empty piece, a note of no exchange.
    Offsets are in the decompressed cassette.

    \b
    tokentape verify session.tape
    tokentape verify *.tape --json | jq '.[] | select(.verdict != "whole")'
    """
    codes: list[int] = []
    objects: list[dict[str, Any]] = []
    for path in files:
        try:
            found = examine(path)
        except CassetteError as error:
            codes.append(1)
            objects.append(unusable_object(path, str(error)))
            click.echo(f"Error: {safe_text(error)}", err=True)
            continue
        codes.append(_EXIT_CODES[found.verdict])
        if as_json:
            objects.append(verdict_object(found))
        else:
            click.echo("\n".join(verdict_lines(found)))
    if as_json:
        click.echo(json_text(objects))
    ctx.exit(next(code for code in _WORST_FIRST if code in codes))
