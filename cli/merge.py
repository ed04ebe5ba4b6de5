import os

import click

from tokentape import cassette
from tokentape.cassette import counted
from tokentape.cli._files import once_from_stdin
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Put several cassettes into one.")
@click.argument("files", metavar="IN...", nargs=-1, required=True, callback=once_from_stdin)
@click.option("-o", "--output", "target", required=True, metavar="OUT", help="The cassette to write.")
@overwrite_option
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], target: str, overwrite: bool) -> None:
    """Put the sections of several cassettes into one file, in the order in which they began.

    Each section stays as it is, and its exchanges keep their numbers. One IN may be -, and so may OUT; an
    OUT that ends in .zst is compressed. What is damaged is left out: stderr says what, and the exit code
    is 3.

    \b
    tokentape merge monday.tape tuesday.tape -o both.tape
    """
    check_writable(target, files, overwrite=overwrite)
    _check_once(files)
    merge = cassette.Merge(files)
    sections = records = 0
    with cassette.Rewriter(target, overwrite=overwrite) as out:
        for entry in merge:
            out.copy(entry.payload)
            records += 1
            sections += isinstance(entry.record, cassette.Section)
        if not records:
            raise click.ClickException("expected at least one whole record to merge, found none")
    any_lost = said_lost(f"{path}: {damage}" for path, damage in merge.damage)
    done = f"merged {counted(sections, 'section')} of {counted(len(files), 'file')} into {target}"
    click.echo(safe_text(done), err=True)
    if any_lost:
        ctx.exit(3)


def _check_once(files: tuple[str, ...]) -> None:
    """Refuse a file that is given twice: its exchanges would be there twice, and look like two."""
    seen: dict[str, str] = {}
    for path in files:
        real = os.path.realpath(path)
        if real in seen:
            raise click.UsageError(f"expected each cassette once; {seen[real]} and {path} are the same file")
        seen[real] = path
