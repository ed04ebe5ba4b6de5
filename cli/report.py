import click

from tokentape.cassette import NewFile
from tokentape.cli._extras import needs
from tokentape.cli._left_out import left_out
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._reading_options import Loading, by_option, reading_options
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Make a page of a recording, or of two compared.")
@click.argument("a", metavar="A")
@click.argument("b", metavar="[B]", required=False)
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The page to write.")
@overwrite_option
@by_option("Filter and compare by this, too: host, hour, label.NAME ... (repeatable).")
@click.option("--title", metavar="TEXT", help="What stands at the top instead of the names of the files.")
@reading_options
@click.pass_context
def command(
    ctx: click.Context,
    a: str,
    b: str | None,
    target: str,
    overwrite: bool,
    by: tuple[str, ...] | None,
    title: str | None,
    load: Loading,
) -> None:
    """Make one file of HTML about A, or about B compared with A, that opens in any browser.

    The page has the numbers, plots, the slowest streams with their timelines, definitions, and what is
    missing and why. A click on a model, an outcome or a route shows its streams alone. It loads nothing
    from any network, and can be printed. A and B are cassettes, folders or patterns; one of them, and
    FILE, may be -.

    Exit code 3: a cassette is damaged; the page is about what is whole, and says what was lost.

    \b
    tokentape report session.tape -o report.html
    tokentape report before.tape after.tape -o change.html --by host
    """
    paths = [a] if b is None else [a, b]
    check_writable(target, paths, overwrite=overwrite, what="a page")
    with needs("analysis"):
        from tokentape.analysis.report import report
    if paths.count("-") > 1:
        raise click.UsageError("expected - once, since standard input can be read once")
    recordings = [load(path) for path in paths]
    notes = left_out(paths, recordings, load.words["where"])
    page = report(*recordings, by=by, title=title, notes=notes, progress=True)
    with NewFile(target, overwrite=overwrite) as new:
        new.file.write(page.encode())
    streams = " and ".join(f"{len(each.streams):,}" for each in recordings)
    click.echo(f"{safe_text(target)}: {streams} streams", err=True)
    if said_lost(line for each in recordings for line in each.lost):
        ctx.exit(3)
