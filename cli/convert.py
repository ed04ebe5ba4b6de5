import click

from tokentape.cassette import counted
from tokentape.cassette.formats import ENDINGS, FORMATS, Format, convert, format_of
from tokentape.cli._extras import needs
from tokentape.cli._lost import said_lost
from tokentape.cli._output import check_writable, overwrite_option
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Convert cassettes to and from other formats.")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT")
@click.option("--from", "read_as", type=click.Choice(FORMATS), help="What IN is, whatever it is called.")
@click.option("--to", "write_as", type=click.Choice(FORMATS), help="What OUT is to be.")
@overwrite_option
@click.option("--no-redact", "unredacted", is_flag=True,
              help="Import API keys, cookies and all other secrets as they are.")  # fmt: skip
@click.pass_context
def command(
    ctx: click.Context,
    source: str,
    target: str,
    read_as: Format | None,
    write_as: Format | None,
    overwrite: bool,
    unredacted: bool,
) -> None:
    """Convert a cassette to JSON lines, an HTTP archive or mitmproxy's flows, or one of these to a cassette.

    The ending says what a file is: .tape, .tape.zst (compressed), .jsonl (everything, to be compared and
    edited by hand), .har, .flow or .mitm, and .yaml, .yml or .json for cassettes of vcrpy, which are read
    only. IN or OUT may be - for a pipe, with --from or --to. What each format keeps and loses is in
    docs/formats.md.

    Where times are not known, as in HTTP archives of browsers, the cassette says so: `analyze` reports
    "not-timed", and `replay` serves the answer without waiting. Secrets in what comes from an archive,
    flows or vcrpy are replaced as a recorder does it (docs/redaction.md). Exit code 3: something was lost;
    stderr says what.

    \b
    tokentape convert session.tape session.jsonl
    tokentape convert network.har network.tape
    tokentape convert --to jsonl session.tape.zst - | grep '"kind": "note"'
    """
    read_as = read_as or _named(source, "--from")
    write_as = write_as or _named(target, "--to")
    if write_as == "vcr":
        raise click.UsageError(
            f"expected another format for {safe_text(target)} than vcr, which is read and not written: "
            "it has no place for pieces and times"
        )
    if target != "-" or write_as == "tape":  # the others are written to a terminal too
        check_writable(target, [source], overwrite=overwrite)
    from tokentape.recorder.redaction import Redactor

    redact = None if unredacted else Redactor().record
    with needs("convert"):
        done = convert(source, target, read_as=read_as, write_as=write_as, overwrite=overwrite, redact=redact)
    click.echo(f"{safe_text(target)}: {counted(done.exchanges, 'exchange')}", err=True)
    if said_lost(done.lost):
        ctx.exit(3)


def _named(path: str, option: str) -> Format:
    found = format_of(path)
    if found is None:
        raise click.UsageError(
            f"expected a name that ends in one of {', '.join(ENDINGS)}, or {option}; found {path!r}"
        )
    return found
