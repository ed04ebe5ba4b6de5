import sys
from collections.abc import Callable, Iterable, Iterator

import click

from tokentape import cassette
from tokentape.cli import _cat_formats
from tokentape.cli._files import once_from_stdin
from tokentape.cli._lost import Checked, said_lost
from tokentape.cli._safe_text import safe_text


@click.command(short_help="Show what was asked and answered, with times.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option("--format", "form", type=click.Choice(["text", "sse", "jsonl"]), default="text",
              show_default=True, help="For people, an event stream, or a JSON object an event.")  # fmt: skip
@click.option("--exchange", type=click.IntRange(0), metavar="N", help="Only the exchange of this number.")
@click.option("--section", type=click.IntRange(0), metavar="N", help="Only the section of this number.")
@click.pass_context
def command(
    ctx: click.Context, files: tuple[str, ...], form: str, exchange: int | None, section: int | None
) -> None:
    """Show the exchanges in cassettes, in the order in which they ended.

    FILE may be - for standard input. Times are in ms since the request was complete. In text, `|` begins
    a line of what was said and `>` goes on with it: a new row is begun after half a second in which nothing
    came. sse is the event stream as it came, decoded, with a comment before each event that says when.
    Exit code 3: a cassette is damaged, or records of it are missing, as `tokentape verify` finds; what is
    whole is shown, and stderr says what was lost.

    \b
    tokentape cat session.tape
    tokentape cat session.tape --exchange 3 --format sse
    tokentape cat session.tape --format jsonl | jq 'select(.kind == "content") | [.t_ms, .text]'
    """
    shown = 0
    lost: list[str] = []
    for file in files:
        with cassette.open(file, lenient=True) as tape:
            if form == "text" and len(files) > 1:
                click.echo(f"==> {safe_text(file)} <==")
            checked = Checked(tape, file)
            for found in _wanted(checked.records(), exchange, section):
                shown += 1
                _print(found, form, file)
            lost += checked.lost()
    any_lost = said_lost(lost)
    if not shown and (exchange is not None or section is not None):
        wanted = [("exchange", exchange), ("section", section)]
        name = " of ".join(f"{noun} {number}" for noun, number in wanted if number is not None)
        raise click.ClickException(f"expected {name} in {', '.join(files)}, found none")
    if any_lost:
        ctx.exit(3)


def _wanted(
    records: Iterable[cassette.Record], number: int | None, section: int | None
) -> Iterator[cassette.Exchange]:
    """Yield the exchanges that are wanted, and hold no pieces of others."""
    chosen = records if number is None else (each for each in records if not _is_other_piece(each, number))
    for exchange in cassette.exchanges(chosen):
        if number in (None, exchange.number) and section in (None, exchange.section_index):
            yield exchange


def _is_other_piece(record: cassette.Record, number: int) -> bool:
    """Whether it is a piece of another exchange. The other records tell where sections were lost."""
    return isinstance(record, cassette.Chunk) and record.exchange != number


def _print(exchange: cassette.Exchange, form: str, file: str) -> None:
    if form == "text":
        click.echo("\n".join(map(safe_text, _cat_formats.text(exchange))))
        return
    lines: Callable[[cassette.Exchange, str], Iterator[bytes]] = getattr(_cat_formats, form)
    sys.stdout.buffer.write(b"".join(lines(exchange, file)))
    sys.stdout.buffer.flush()
