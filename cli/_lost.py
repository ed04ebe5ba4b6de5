"""What of its input a verb had to leave out: a line each on standard error. Its exit code is 3 then."""

from collections.abc import Iterable, Iterator

import click

from tokentape.cassette import Exchange, counted
from tokentape.cli._safe_text import safe_text


def said_lost(lost: Iterable[object]) -> bool:
    """Say what was lost, and return whether anything was."""
    any_lost = False
    for line in lost:
        click.echo(f"lost: {safe_text(line)}", err=True)
        any_lost = True
    return any_lost


def missing_pieces(exchange: Exchange, file: str) -> Iterator[str]:
    """Yield a line if the exchange's end record counts other pieces than are there.

    A record without counts, which has zeros, counts none.
    """
    there = (len(exchange.chunks), sum(len(chunk.data) for chunk in exchange.chunks))
    end = exchange.end
    if end is None or (end.chunks, end.bytes) in (there, (0, 0)):
        return
    why = "pieces are missing" if (end.chunks, end.bytes) > there else "there are more pieces than that"
    yield (
        f"{file}: exchange {exchange.number} of section {exchange.section_index}: "
        f"its end record counts {counted(end.chunks, 'piece')} and {counted(end.bytes, 'byte')}, "
        f"found {there[0]} and {there[1]}: {why}"
    )
