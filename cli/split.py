import os
from contextlib import ExitStack

import click

from tokentape.cli._files import opener
from tokentape.cli._json_text import json_text
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._part_names import part_files
from tokentape.cli._parts import plan, write_parts
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Make several cassettes of one.")
@click.argument("source", metavar="IN")
@click.option("--by", type=click.Choice(["exchange", "host", "model"]), required=True,
              help="What the exchanges of a part have in common; model is the one asked for.")  # fmt: skip
@click.option("-o", "--output", "folder", default=".", metavar="FOLDER",
              help="Where the parts are put; made if it is not there.  [default: here]")  # fmt: skip
@overwrite_option
@click.option("--json", "as_json", is_flag=True, help="Print a list with an object for each part.")
@click.pass_context
def command(ctx: click.Context, source: str, by: str, folder: str, overwrite: bool, as_json: bool) -> None:
    """Write a cassette for each exchange, host or model of IN, and print what is in each.

    The parts of session.tape are called session.PART.tape. Each has the sections that it has exchanges
    in, with their notes. Exchanges keep their numbers, and records are copied as they are; only the
    counts of close records are made anew. IN may be -, and is then kept in a temporary file meanwhile.
    What is damaged is left out: stderr says what, and the exit code is 3.

    \b
    tokentape split session.tape --by model -o parts
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        raise click.ClickException(f"expected a folder for the parts, found the file {folder}")
    with ExitStack() as stack:
        open_source = opener(source, stack)
        split, damage = plan(open_source, by)
        if not split.parts:
            raise click.ClickException(safe_text(f"{source}: expected at least one exchange, found none"))
        names = part_files(source, (part.name for part in split.parts))
        paths = [os.path.join(folder, name) for name in names]
        for path in paths:
            check_writable(path, [source], overwrite=overwrite)
        os.makedirs(folder, exist_ok=True)
        write_parts(open_source, split, paths, overwrite=overwrite)
    from tokentape.cli._console import print_table
    from tokentape.cli._parts_table import parts_objects, parts_table

    if as_json:
        click.echo(json_text(parts_objects(paths, split.parts)))
    else:
        print_table(parts_table(paths, split.parts))
    if said_lost(f"{source}: {each}" for each in damage):
        ctx.exit(3)
