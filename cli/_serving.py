"""A server on an event loop of its own that runs until it is told to stop, and says where it listens.

Invariant: once it says that it listens, a signal ends it with its statistics.
"""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import nullcontext
from typing import Any

import click

from tokentape.cli._reloading import Reloading
from tokentape.replay import Server, Stats, Workers

_GRACE_S = 3.0
_QUICK_S = 0.1  # what ends within it need not be announced


async def serve_until_stopped(
    server: Server | Workers, host: str, port: int, again: Reloading | None
) -> Stats:
    """Serve until SIGINT or SIGTERM comes, then let answers on their way end, and return what was served.

    `again` serves cassettes anew when they change. Raises `CannotListen`.
    """
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def tell(*_: object) -> None:
        if not loop.is_closed():  # a second signal may come while the table is printed
            loop.call_soon_threadsafe(told_to_stop.set)

    async with server, again(server) if again and isinstance(server, Server) else nullcontext():
        # Before anyone can know that it listens, so that whoever waited for that can stop it.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, tell)
        await server.start(host, port)
        steered = f"\n  steered at {server.control_url}" if server.control_url else ""
        click.echo(
            f"listening on {server.url}\n  export OPENAI_BASE_URL={server.base_url}{steered}", err=True
        )
        await _first_of(told_to_stop.wait(), server.all_lost.wait() if isinstance(server, Workers) else None)
        told_to_stop.clear()
        stopping = asyncio.create_task(server.stop(grace_s=_GRACE_S))
        await asyncio.wait([stopping], timeout=_QUICK_S)
        if not stopping.done():
            click.echo(f"stopping: answers have {_GRACE_S:.0f} s to end; Ctrl-C ends at once", err=True)
        await _first_of(stopping, told_to_stop.wait())
        # what is left then is cut off where the block ends
    return server.stats


async def _first_of(*awaited: Coroutine[Any, Any, Any] | asyncio.Task[Any] | None) -> None:
    """Wait until one is done, and cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in awaited if each is not None]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        task.result()
