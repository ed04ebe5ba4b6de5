"""What `replay` does: cassettes are read, served until a signal comes, and what was served is handed back."""

import asyncio
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import click

from tokentape.cli._on_miss_option import usage
from tokentape.cli._open_files import allow_open_files
from tokentape.cli._reloading import reloading
from tokentape.cli._safe_text import safe_text
from tokentape.cli._serving import serve_until_stopped
from tokentape.cli._serving_options import Serving
from tokentape.replay import Fault, Matching, OnMiss, Repertoire, Server, Stats, Timing, Workers, load


def replayed(
    files: Sequence[str],
    *,
    timing: Timing,
    matching: Matching,
    faults: Sequence[Fault],
    on_miss: OnMiss | None,
    serving: Serving,
) -> tuple[Repertoire, Stats]:
    """Serve cassettes until told to stop; return what was there to serve, and what was served.

    Raises `ReplayError` and `CassetteError`, and `UsageError` for options that exclude each other.
    """
    allow_open_files()
    again = reloading(files, partial(load, files, timing=timing)) if serving.reload else None
    repertoire = load(files, timing=timing, growing=on_miss.grows if on_miss else None)
    for line in (*repertoire.remarks, *repertoire.lost):
        click.echo(safe_text(line), err=True)
    with _collected_and_frozen():
        reached = serving.reach(serving.host)
        with usage():
            server = Server(
                repertoire,
                matching=matching,
                faults=faults,
                on_miss=on_miss,
                control=serving.control,
                tls=reached.tls,
                proxy=reached.proxy,
            )
        whole = Workers(server, serving.workers) if serving.workers > 1 else server
        return repertoire, asyncio.run(serve_until_stopped(whole, serving.host, serving.port, again, reached))


@contextmanager
def _collected_and_frozen() -> Iterator[None]:
    """Keep what is there out of collections: a full one would stop all streams while it looks at every piece.

    Afterwards nothing is frozen: a process that does other things, too, must be able to clean up at its end.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
