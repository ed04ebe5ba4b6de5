import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack

import click

from tokentape import cassette
from tokentape.cassette import Part, Reader
from tokentape.cli._output import check_output, overwrite_option
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
        open_source = _opener(source, stack)
        split, damage = plan(open_source, by)
        if not split.parts:
            raise click.ClickException(safe_text(f"{source}: expected at least one exchange, found none"))
        names = part_files(source, (part.name for part in split.parts))
        paths = [os.path.join(folder, name) for name in names]
        for path in paths:
            check_output(path, [source], overwrite=overwrite)
        os.makedirs(folder, exist_ok=True)
        write_parts(open_source, split, paths, overwrite=overwrite)
    _print(paths, split.parts, as_json=as_json)
    for each in damage:
        click.echo(f"lost: {safe_text(f'{source}: {each}')}", err=True)
    if damage:
        ctx.exit(3)


def _opener(source: str, stack: ExitStack) -> Callable[[], Reader]:
    """Return a function that opens the source from its start, each time it is called."""
    if source != "-":
        return lambda: cassette.open(source, lenient=True)
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
    shutil.copyfileobj(sys.stdin.buffer, spool)

    def open_spool() -> Reader:
        spool.seek(0)
        return Reader(os.fdopen(os.dup(spool.fileno()), "rb"), name="-", lenient=True)

    return open_spool


def _print(paths: list[str], parts: list[Part], *, as_json: bool) -> None:
    counts = [part.counts for part in parts]
    rows = [(each.exchanges, each.chunks, each.bytes) for each in counts]
    if as_json:
        names = ("exchanges", "pieces", "body_bytes")
        found = [
            {"file": path, "part": part.name, **dict(zip(names, row, strict=True))}
            for path, part, row in zip(paths, parts, rows, strict=True)
        ]
        click.echo(json.dumps(found, indent=2))
        return
    from rich.table import Table
    from rich.text import Text

    from tokentape.cli._console import print_table

    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    for name in ("exchanges", "pieces", "bytes"):
        table.add_column(name, justify="right")
    for path, row in zip(paths, rows, strict=True):
        table.add_row(Text(safe_text(path)), *(f"{number:,}" for number in row))
    print_table(table)
