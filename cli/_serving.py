"""A server on an event loop of its own that runs until it is told to stop, and says where it listens.

Invariant: once it says that it listens, a signal ends it with its statistics.
"""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from contextlib import nullcontext, suppress
from ipaddress import ip_address
from typing import Any

import click

from tokentape.cli._reach_options import Reach
from tokentape.cli._reloading import Reloading
from tokentape.replay import Server, Stats, Workers
from tokentape.replay.serving._out_of_files import say_when_out_of_files

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no hang-up
_ENDING = tuple(getattr(signal, name) for name in _NAMES if hasattr(signal, name))
_GRACE_S = 3.0
_QUICK_S = 0.1  # what ends within it need not be announced


async def serve_until_stopped(
    server: Server | Workers, host: str, port: int, again: Reloading | None, reach: Reach
) -> Stats:
    """Serve until SIGINT, SIGTERM or SIGHUP comes, let answers on their way end, and return what was served.

    `again` serves cassettes anew when they change; `reach` says how clients get there. Raises `CannotListen`.
    """
    told_to_stop = asyncio.Event()
    say_when_out_of_files(asyncio.get_running_loop())
    async with server, again(server) if again and isinstance(server, Server) else nullcontext():
        # Before anyone can know that it listens, so that whoever waited for that can stop it.
        _on_signals(told_to_stop.set)
        await server.start(host, port)
        click.echo("\n  ".join([f"listening on {server.url}", *reach.what_to_set(server)]), err=True)
        if server.control_url:
            click.echo(f"  steered at {server.control_url}", err=True)
        if not all(ip_address(bound).is_loopback for bound in server.bound_hosts):
            steers = ", and steer it under /-/ (not with --no-control)" if server.control_url else ""
            click.echo(f"  warning: everyone who reaches this port may ask it{steers}", err=True)
        await _first_of(told_to_stop.wait(), server.all_lost.wait() if isinstance(server, Workers) else None)
        told_to_stop.clear()
        stopping = asyncio.create_task(server.stop(grace_s=_GRACE_S))
        await asyncio.wait([stopping], timeout=_QUICK_S)
        if not stopping.done():
            click.echo(f"stopping: answers have {_GRACE_S:.0f} s to end; Ctrl-C ends at once", err=True)
        await _first_of(stopping, told_to_stop.wait())
        # what is left then is cut off where the block ends
    _ignore_signals()
    return server.stats


def _on_signals(tell: Callable[[], None]) -> None:
    """Have these signals tell, also when they come just before the event loop begins to wait.

    A hang-up that is ignored (nohup) stays so.
    """
    loop = asyncio.get_running_loop()
    for number in _ENDING:
        if number not in (signal.SIGINT, signal.SIGTERM) and signal.getsignal(number) is signal.SIG_IGN:
            continue
        try:
            loop.add_signal_handler(number, tell)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(tell))


def _ignore_signals() -> None:
    """Have no signal cut off what is printed at the end."""
    for number in _ENDING:
        with suppress(NotImplementedError):
            asyncio.get_running_loop().remove_signal_handler(number)  # or closing the loop would
        signal.signal(number, signal.SIG_IGN)


async def _first_of(*awaited: Coroutine[Any, Any, Any] | asyncio.Task[Any] | None) -> None:
    """Wait until one is done, and cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in awaited if each is not None]
    done, left = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in left:
        task.cancel()
    for task in done:
        task.result()
