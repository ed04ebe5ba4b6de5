"""The options of `replay` that say which recorded exchange answers which request."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, get_args

import click

from tokentape.replay import Exhausted, Matching, Order

R = TypeVar("R")


class Parts(click.ParamType[tuple[str, ...]]):
    """Names with commas between them or, in a file, a list of names."""

    name = "PART,..."

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        try:
            return Matching(match=value).match
        except ValueError as error:
            self.fail(str(error), param, ctx)


def matching_options(command: Callable[..., R]) -> Callable[..., R]:
    """Give a command the options, and call it with `matching`, the value of them all."""

    @click.option(
        "--match",
        type=Parts(),
        default=",".join(Matching().match),
        show_default=True,
        help="What has to be as recorded; also header:NAME, none.",
    )
    @click.option(
        "--ignore",
        multiple=True,
        metavar="LOCATION",
        help="What does not matter in bodies, as $.user; repeatable.",
    )
    @click.option(
        "--order",
        type=click.Choice(get_args(Order)),
        default=Matching().order,
        show_default=True,
        help="'recorded': each has to be the next recorded.",
    )
    @click.option(
        "--exhausted",
        type=click.Choice(get_args(Exhausted)),
        default=Matching().exhausted,
        show_default=True,
        help="What follows the last answer to a request.",
    )
    @wraps(command)
    def with_matching(
        *args: Any,
        match: tuple[str, ...],
        ignore: tuple[str, ...],
        order: Order,
        exhausted: Exhausted,
        **kwargs: Any,
    ) -> R:
        try:
            matching = Matching(match=match, ignore=ignore, order=order, exhausted=exhausted)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
        return command(*args, matching=matching, **kwargs)

    return with_matching
