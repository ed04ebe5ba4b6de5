"""The value of `--speed`: a positive number, or instant."""

from typing import Any

import click

from tokentape.replay import Speed, parse_speed


class SpeedType(click.ParamType[Speed]):
    """See `parse_speed`."""

    name = "NUMBER|instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Speed:
        try:
            return parse_speed(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
