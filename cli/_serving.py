"""A server on an event loop of its own that runs until it is told to stop, and says where it listens.

Invariant: once it says that it listens, a signal ends it with its statistics.
"""

import asyncio
import signal
from contextlib import nullcontext

import click

from tokentape.cassette import counted
from tokentape.cli._reloading import Reloading
from tokentape.replay import Server, Stats

_GRACE_S = 3.0


async def serve_until_stopped(server: Server, host: str, port: int, again: Reloading | None) -> Stats:
    """Serve until SIGINT or SIGTERM comes, then let answers on their way end, and return what was served.

    `again` serves cassettes anew when they change. Raises `CannotListen`.
    """
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(*_: object) -> None:
        if not loop.is_closed():  # a second signal may come while the table is printed
            loop.call_soon_threadsafe(told_to_stop.set)

    async with server, again(server) if again else nullcontext():
        # Before anyone can know that it listens, so that whoever waited for that can stop it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, tell)
        await server.start(host, port)
        steered = f"\n  steered at {server.control_url}" if server.control_url else ""
        click.echo(
            f"listening on {server.url}\n  export OPENAI_BASE_URL={server.base_url}{steered}", err=True
        )
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
