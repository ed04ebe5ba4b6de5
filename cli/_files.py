"""The FILE arguments of verbs that read cassettes."""

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import ExitStack

import click

from tokentape import cassette
from tokentape.cassette import CassetteError, Reader


def once_from_stdin(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001
    files: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the files as they are; a usage error if standard input is to be read twice."""
    if files.count("-") > 1:
        raise click.BadParameter("expected - once, since standard input can be read once")
    return files


def named_files(paths: Iterable[str]) -> tuple[list[str], list[str], list[CassetteError]]:
    """Return the files that paths mean, folders and patterns too, and what is wrong with the others.

    That is a line for each file of a folder or a pattern that is of no use, and an error for each path
    that leads to no file, and for the first file if none is of use.
    """
    leading: list[str] = []
    errors: list[CassetteError] = []
    for path in paths:
        try:
            cassette.cassettes_at(path)
        except CassetteError as error:
            errors.append(error)
        else:
            leading.append(path)
    try:
        return *cassette.usable_at(leading), errors
    except CassetteError as error:
        return [], [], [*errors, error]


def opener(source: str, stack: ExitStack) -> Callable[[], Reader]:
    """Return a function that opens the source from its start, each time it is called."""
    if source != "-":
        return lambda: cassette.open(source, lenient=True)
    if sys.stdin is None or sys.stdin.closed:
        raise cassette.Unreadable("-: expected a cassette on standard input, which is closed")
    spool = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  (the stack closes it)
    shutil.copyfileobj(sys.stdin.buffer, spool)

    def open_spool() -> Reader:
        spool.seek(0)
        stream = os.fdopen(os.dup(spool.fileno()), "rb")
        try:
            return Reader(stream, name="-", lenient=True)
        except BaseException:
            stream.close()
            raise

    return open_spool
