"""Which options were given on the command line, apart from those that a file or a default says."""

from collections.abc import Iterable

import click
from click.core import ParameterSource


def given(name: str) -> bool:
    """Whether the option of this name was given to the verb that runs."""
    source = click.get_current_context().get_parameter_source(name)
    return source is ParameterSource.COMMANDLINE


def refuse(names: Iterable[str], beside: str, why: str) -> None:
    """Raise a usage error for the first of these options that was given."""
    options = {option.name: option for option in click.get_current_context().command.params}
    for name in names:
        if given(name):
            raise click.UsageError(f"expected {beside} or {options[name].opts[0]}, found both: {why}")
