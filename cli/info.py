from typing import Any

import click

from tokentape.cassette import CassetteError
from tokentape.cli._examination import examine
from tokentape.cli._files import once_from_stdin
from tokentape.cli._json_text import json_text
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Say what is in cassettes.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each file.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], as_json: bool) -> None:
    """Say what is in one or more cassettes: when, where and by what it was recorded, how much of what.

    FILE may be - for standard input, and a cassette that is still recorded to. It is read once and never
    held, however long it is. Exit code 3: a file is damaged, and what is counted is what is whole.
    1: a file is no cassette.

    \b
    tokentape info session.tape
    tokentape info *.tape --json | jq '.[] | {file, exchanges, models}'
    """
    from tokentape.dialects import requested_model

    objects: list[dict[str, Any]] = []
    failed = lost = False
    for path in files:
        try:
            found = examine(path, requested_model)
        except CassetteError as error:
            failed = True
            click.echo(f"Error: {safe_text(error)}", err=True)
            continue
        from tokentape.cli._console import print_table
        from tokentape.cli._info_table import info_object, info_table

        if as_json:
            objects.append(info_object(found))
        else:
            print_table(info_table(found))
        if found.verdict in ("torn", "corrupt"):
            lost = True
            click.echo(f"{safe_text(path)}: not all of it is whole; tokentape verify says more", err=True)
    if as_json:
        click.echo(json_text(objects))
    if failed or lost:
        ctx.exit(1 if failed else 3)
