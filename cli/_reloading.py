"""`--reload`: cassettes that change are read again while a server runs, and each time a line says so."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import TypeAlias

import click

from tokentape.cli._safe_text import safe_text
from tokentape.replay import Repertoire, Server, reload_on_change, state_of

Reloading: TypeAlias = Callable[[Server], AbstractAsyncContextManager[None]]


def reloading(files: Sequence[str], load: Callable[[], Repertoire]) -> Reloading:
    """Return what keeps a server up to date while it is entered, from how the files are now."""
    if "-" in files:
        raise click.UsageError("--reload: expected files, found -: standard input cannot be read again")
    before = state_of(files)

    def read() -> Repertoire:
        found = load()
        gc.freeze()  # as `replay` does at the start
        return found

    @asynccontextmanager
    async def up_to_date(server: Server) -> AsyncIterator[None]:
        task = asyncio.create_task(reload_on_change(server, files, read, before=before, say=_say))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    return up_to_date


def _say(line: str) -> None:
    click.echo(safe_text(line), err=True)
