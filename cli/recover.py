from itertools import chain

import click

from tokentape import cassette
from tokentape.cassette import STAND_IN, Survey, Verification, counted, whole_entries
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._safe_text import safe_text

_SHOWN = 100


@click.command(short_help="Save what is whole of a damaged cassette.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@overwrite_option
@click.pass_context
def command(ctx: click.Context, source: str, target: str, overwrite: bool) -> None:
    """Write every whole record of IN to OUT, byte for byte, and say what was lost.

    IN is not touched; OUT is there only once it is complete. Either may be -, and an OUT that ends in
    .zst is compressed. A file that does not even begin as a cassette is searched for whole records.

    Nothing is made up: OUT has no end or close record that IN had not, and the counts in those it has
    are as they were. So `verify` finds OUT without damage, but still names what is missing. Only for
    a section record that was lost there is a stand-in, without a date, as the format asks for one.

    \b
    Exit code 0: nothing was lost. 3: something was, and stderr has a line for each loss.
    1: there was nothing to recover, and OUT was not made.

    \b
    tokentape recover damaged.tape mended.tape
    """
    check_writable(target, [source], overwrite=overwrite)
    survey, check, stand_ins = Survey(), Verification(limit=_SHOWN), 0
    with cassette.open(source, salvage=True) as tape:
        entries = whole_entries(tape)
        first = next(entries, None)
        if first is None:
            reasons = "; ".join(map(str, tape.damage[:3])) or "it ends after its first 11 bytes"
            raise click.ClickException(
                safe_text(f"{source}: expected at least one whole record, found none: {reasons}")
            )
        with cassette.Rewriter(target, overwrite=overwrite) as out:
            for entry in chain([first], entries):
                out.copy(entry.payload)
                survey.add(entry)
                check.add(entry)
                if entry.record is STAND_IN:
                    stand_ins += 1
                    said_lost([f"the section record before byte {entry.offset}; a stand-in is in its place"])
        check.finish()
        said_lost(
            f"{counted(each.length, 'byte')} at byte {each.offset}: {each.reason}" for each in tape.damage
        )
    losses = [finding for finding in check.findings if finding.is_loss]
    said_lost(losses)
    if check.losses > len(losses):
        said_lost([f"and more of such, {check.losses} in all"])
    whole = f"{counted(survey.exchanges, 'exchange')}, {counted(survey.chunks, 'piece')}"
    is_lossy = tape.damage or check.losses or stand_ins
    _say(f"recovered {whole} to {target}; {'see above for what was' if is_lossy else 'nothing was'} lost")
    if is_lossy:
        ctx.exit(3)


def _say(line: str) -> None:
    click.echo(safe_text(line), err=True)
