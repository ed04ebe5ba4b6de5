"""The file that a verb makes: whether it may be made is known before anything is read."""

import os
import sys
from collections.abc import Iterable

import click

overwrite_option = click.option("--overwrite", is_flag=True, help="Replace what exists.")


def check_writable(path: str, inputs: Iterable[str], *, overwrite: bool, what: str = "a cassette") -> None:
    """Refuse a file that is one of the inputs, exists, or is none, with a line that says what to do."""
    if path == "-":
        if sys.stdout.isatty():
            raise click.UsageError(f"expected a pipe behind -: {what} would not be readable here")
        return
    for source in inputs:
        if source != "-" and _are_same(source, path):
            raise click.UsageError(f"expected another file than {source} to write to, found {path}")
    if os.path.isdir(path):
        raise click.ClickException(f"expected the name of a file to write to, found the folder {path}")
    if os.path.lexists(path):
        if not overwrite:
            raise click.ClickException(f"{path} exists; choose another name, or add --overwrite")
        if os.path.exists(path) and not os.path.isfile(path):  # what a link leads to may be made
            raise click.ClickException(f"expected a regular file to overwrite, and {path} is none")


def _are_same(one: str, other: str) -> bool:
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False
