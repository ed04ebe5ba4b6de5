"""What of its input a verb had to leave out: a line each on standard error. Its exit code is 3 then."""

from collections.abc import Iterable

import click

from tokentape.cli._safe_text import safe_text


def said_lost(lost: Iterable[object]) -> bool:
    """Say what was lost, and return whether anything was."""
    any_lost = False
    for line in lost:
        click.echo(f"lost: {safe_text(line)}", err=True)
        any_lost = True
    return any_lost
