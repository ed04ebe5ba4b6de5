"""`--on-miss forward URL` and `--on-miss record URL`: what of an API is asked for what is not recorded."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any, TypeVar, get_args

import click

from tokentape.cli._address import UpstreamUrl
from tokentape.cli._extras import needs
from tokentape.replay import How, Matching, OnMiss

F = TypeVar("F", bound=Callable[..., Any])


def on_miss_option(command: F) -> F:
    """Give a command the option; its value is a pair, for `on_miss_of`."""
    return click.option(
        "--on-miss",
        "miss",
        type=(click.Choice(get_args(How)), UpstreamUrl()),
        metavar="forward|record URL",
        help="Ask this API; 'record' appends that to the last FILE.",
    )(command)


def on_miss_of(
    miss: tuple[How, str] | None, files: Sequence[str], matching: Matching, *, reload: bool, workers: int
) -> OnMiss | None:
    """Return what the option says, or refuse before anything is started what could not be done."""
    if miss is None:
        return None
    if miss[0] == "record":
        if reload:
            raise click.UsageError(
                "expected --on-miss record or --reload: what is recorded is served without it, "
                "and a cassette that is being recorded is not read again"
            )
        if workers > 1:
            raise click.UsageError(
                "expected --on-miss record or --workers: what one process records the others do not know"
            )
        if matching.order == "recorded" and matching.exhausted != "error":
            raise click.UsageError(
                "expected --exhausted error beside --order recorded and --on-miss record: "
                "in order only what comes after the last exchange can be recorded"
            )
        with needs("record"):
            if find_spec("mitmproxy") is None:  # importing it would take a second
                raise ModuleNotFoundError(name="mitmproxy")
    with usage():
        return OnMiss(*miss).into(files)


@contextmanager
def usage() -> Iterator[None]:
    """Around what refuses the option: its ValueError becomes one of usage."""
    try:
        yield
    except ValueError as error:
        raise click.UsageError(f"--on-miss: {error}") from None
