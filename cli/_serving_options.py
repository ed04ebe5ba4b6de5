"""The options of `replay` that say where it serves and how: the port, processes, TLS, a proxy."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from tokentape.cli._address import Address
from tokentape.cli._reach_options import Reach, reach_options

R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """Where and how to serve. `reach` makes what is said of TLS and a proxy for a host to listen on."""

    host: str
    port: int
    reach: Callable[[str], Reach]
    workers: int
    reload: bool
    control: bool


def serving_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which gets what they say as `serving`."""

    @click.option(
        "--listen",
        type=Address(),
        default="127.0.0.1:8090",
        show_default=True,
        help="Port 0 takes a free one.",
    )
    @click.option(
        "--workers",
        type=click.IntRange(1),
        metavar="N",
        default=1,
        show_default=True,
        help="Processes, one for each core.",
    )
    @click.option("--reload", is_flag=True, help="Serve cassettes anew when they change.")
    @click.option("--no-control", is_flag=True, help="Do not answer under /-/.")
    @reach_options
    @wraps(command)
    def with_serving(
        *args: Any,
        listen: tuple[str, int],
        workers: int,
        reload: bool,
        no_control: bool,
        reach: Callable[[str], Reach],
        **kwargs: Any,
    ) -> R:
        if reload and workers > 1:
            raise click.UsageError(
                "expected one worker beside --reload: the others would not know of the change"
            )
        host, port = listen
        serving = Serving(
            host=host, port=port, reach=reach, workers=workers, reload=reload, control=not no_control
        )
        return command(*args, serving=serving, **kwargs)

    return with_serving
