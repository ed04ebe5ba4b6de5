"""Cassettes that change are served anew, while answers on their way go on.

Files are looked at twice a second, by size and time of change: this works on every file system and needs
nothing installed. Reading is done in a thread, so that streams are paced meanwhile.
Invariant: what is served was read from whole cassettes. While one is damaged or still being written, or
whatever else goes wrong with it, what was read before is served, and files are looked at again.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tokentape.cassette import CassetteError, counted
from tokentape.replay._errors import ReplayError
from tokentape.replay._load import Repertoire
from tokentape.replay._paths import expanded
from tokentape.replay.serving._server import Server

_KEPT = "what was read before is served"

State: TypeAlias = dict[str, tuple[int, int, int] | None]
"""Size, time of change in ns and number of each file; None for one that is not there."""


def state_of(names: Sequence[str]) -> State:
    """Return what tells whether files have changed, also which there are of a pattern."""
    try:
        return {name: _state(name) for name in expanded(names)}
    except ReplayError:
        return {}


def _state(name: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(name)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino


async def reload_on_change(
    server: Server,
    names: Sequence[str],
    load: Callable[[], Repertoire],
    *,
    before: State,
    say: Callable[[str], None],
    interval_s: float = 0.5,
) -> None:
    """Let a server serve what `load` returns whenever files of these names or patterns have changed.

    `before` is their state before what is served now was read. `say` is given a line for each change.
    Runs until it is cancelled.
    """
    said = ""
    while True:
        await asyncio.sleep(interval_s)
        try:
            now = await asyncio.to_thread(state_of, names)
            if now == before:
                continue
            before = now
            line = await _reload(server, load)
        except Exception as error:  # noqa: BLE001  (too little memory, or a mistake of ours: it is said)
            line = f"not reloaded: {_named(error)}; {_KEPT}"
        if line != said or line.startswith("reloaded"):
            say(line)
        said = line


async def _reload(server: Server, load: Callable[[], Repertoire]) -> str:
    """Return what became of it, in a line."""
    try:
        repertoire = await asyncio.to_thread(load)
        if repertoire.unfinished:
            return f"not reloaded: {repertoire.unfinished[0]} is damaged or not finished; {_KEPT}"
        prepared = await asyncio.to_thread(server.prepare, repertoire)
    except (CassetteError, ReplayError, OSError) as error:
        return f"not reloaded: {error}; {_KEPT}"
    server.replace(repertoire, prepared)
    return f"reloaded: {counted(len(repertoire.recorded), 'exchange')} to serve"


def _named(error: Exception) -> str:
    """Return the kind of an error, and the first line of what it says."""
    said = str(error).partition("\n")[0]
    return type(error).__name__ + (f": {said}" if said else "")
