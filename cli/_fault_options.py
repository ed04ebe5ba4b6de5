"""The option of `replay` that says what goes wrong, and the lines at the end that say how often it did."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from tokentape.cassette import counted
from tokentape.cli._safe_text import safe_text
from tokentape.replay import Fault, Stats, WrongFault, parse_fault
from tokentape.replay.faults import faults_of

F = TypeVar("F", bound=Callable[..., Any])


class FaultText(click.ParamType[Fault]):
    """A fault as `status=429,retry-after=2,times=1`."""

    name = "FAULT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fault:
        if isinstance(value, Fault):
            return value
        try:
            return parse_fault(str(value))
        except WrongFault as error:
            self.fail(safe_text(error), param, ctx)


def fault_options(command: F) -> F:
    """Give a command the option, whose values it gets as `faults`, in the order in which they were given."""
    return click.option(
        "--fault",
        "faults",
        type=FaultText(),
        multiple=True,
        callback=_in_force,
        help="As status=429,times=1 or stall=10s@event=4; repeatable.",
    )(command)


def _in_force(ctx: click.Context, param: click.Parameter, faults: tuple[Fault, ...]) -> tuple[Fault, ...]:
    try:
        return faults_of(faults)
    except WrongFault as error:
        raise click.BadParameter(safe_text(error), ctx, param) from None


def fault_lines(stats: Stats) -> list[str]:
    """Return a line for each fault: how often it has hit, or that it never has."""
    return [f"fault {safe_text(each.fault)}: {_hits(each.times)}" for each in stats.faults]


def _hits(times: int) -> str:
    return f"hit {counted(times, 'time')}" if times else "never hit"
