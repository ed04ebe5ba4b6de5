"""`tokentape replay`: serve cassettes until told to stop, then say what was served and how exactly."""

import asyncio
import gc
import signal
import sys

import click

from tokentape.cassette import counted
from tokentape.cli._address import Address
from tokentape.cli._files import once_from_stdin
from tokentape.cli._safe_text import safe_text
from tokentape.cli._served import served_json, served_table
from tokentape.cli._speed import SpeedType
from tokentape.replay import Repertoire, ReplayError, Server, Speed, Stats, load

_GRACE_S = 3.0


@click.command(short_help="Serve cassettes over HTTP as they were recorded.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, callback=once_from_stdin)
@click.option(
    "--listen", type=Address(), default="127.0.0.1:8090", show_default=True, help="Port 0 takes a free one."
)
@click.option(
    "--speed",
    type=SpeedType(),
    default="1",
    show_default=True,
    help="How many times faster than recorded; 'instant' waits for nothing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was served as JSON.")
def command(files: tuple[str, ...], listen: tuple[str, int], speed: Speed, as_json: bool) -> None:
    """Serve recorded exchanges over HTTP: the same bytes in the same pieces at the same times.

    A request is answered by the exchange that was recorded for the same method, path and JSON body (order
    of keys and spelling of numbers do not matter). Where the same request was recorded several times, the
    answers come in the order of recording, and after the last the first again. Any other request gets
    a 404 that names the nearest recorded one and the difference.

    An exchange that came from another format (see `convert`) may have no times of its pieces: these are
    sent at once, and what is printed at the end says "not timed".

    Ctrl-C or SIGTERM stops it and prints what was served and how late pieces were; answers on their way
    have three seconds to end, which a second Ctrl-C cuts short.

    \b
    tokentape replay session.tape
    tokentape replay session.tape --speed 2 --listen 127.0.0.1:0
    """
    try:
        repertoire = load(files, speed=speed)
        for line in (*repertoire.remarks, *repertoire.lost):
            click.echo(safe_text(line), err=True)
        # A full collection would stop all streams while it looks through every prepared piece.
        gc.collect()
        gc.freeze()
        stats = asyncio.run(_serve(repertoire, *listen))
    except ReplayError as error:
        raise click.ClickException(str(error)) from error
    click.echo(served_json(stats) if as_json else served_table(stats))
    if repertoire.lost:
        click.echo("parts of the recording were damaged and not served; see above", err=True)
        sys.exit(3)


async def _serve(repertoire: Repertoire, host: str, port: int) -> Stats:
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(*_: object) -> None:
        if not loop.is_closed():  # a second signal may come while the table is printed
            loop.call_soon_threadsafe(told_to_stop.set)

    async with Server(repertoire) as server:
        # Before anyone can know that it listens, so that whoever waited for that can stop it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, tell)
        await server.start(host, port)
        click.echo(f"listening on {server.url}\n  export OPENAI_BASE_URL={server.base_url}", err=True)
        await told_to_stop.wait()
        told_to_stop.clear()
        if server.running:
            answers = counted(server.running, "answer")
            have = "has" if server.running == 1 else "have"
            click.echo(f"stopping: {answers} {have} {_GRACE_S:.0f} s to end; Ctrl-C ends at once", err=True)
        stopping = asyncio.create_task(server.stop(grace_s=_GRACE_S))
        told_again = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait([stopping, told_again], return_when=asyncio.FIRST_COMPLETED)
        if stopping.done():
            await stopping
        stopping.cancel()  # what is left is cut off where the block ends
        told_again.cancel()
    return server.stats
