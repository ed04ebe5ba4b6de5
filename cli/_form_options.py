"""The options of verbs that print tables: in which format, `--json` being one of them."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, TypeVar

import click
from click.core import ParameterSource

R = TypeVar("R")


def form_options(
    formats: Sequence[str], *, text: str, json_text: str
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return what adds --format and --json, with their helps, to a command, which gets one as `form`."""

    def decorated(command: Callable[..., R]) -> Callable[..., R]:
        @click.option(
            "--format", "form", type=click.Choice(formats), default="table", show_default=True, help=text
        )
        @click.option("--json", "as_json", is_flag=True, help=json_text)
        @wraps(command)
        def with_form(*arguments: Any, form: str, as_json: bool, **options: Any) -> R:
            given = click.get_current_context().get_parameter_source("form") is ParameterSource.COMMANDLINE
            if as_json and given and form != "json":
                raise click.UsageError(f"expected --json without --format {form}: it is a format itself")
            return command(*arguments, form="json" if as_json else form, **options)

        return with_form

    return decorated
