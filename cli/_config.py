"""`--config FILE`: options of a verb in a TOML file, under the names that they have on the command line.

They stand in the table of the verb, `[replay]`; in a file called pyproject.toml in `[tool.tokentape.replay]`.
What is given on the command line goes before them.
"""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def config_option(command: F) -> F:
    """Give a command the option."""
    return click.option(
        "--config",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        is_eager=True,
        expose_value=False,
        callback=_read,
        help="Options from the verb's table in a TOML file.",
    )(command)


def _read(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    if path is None:
        return
    table = f"tool.tokentape.{ctx.info_name}" if path.name == "pyproject.toml" else f"{ctx.info_name}"
    known = {
        name.removeprefix("--"): option
        for option in ctx.command.params
        if isinstance(option, click.Option) and option is not param
        for name in option.opts
    }
    known.pop("help", None)
    try:
        with path.open("rb") as file:
            found: Any = tomllib.load(file)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"{path}: expected TOML, found {error}", ctx, param) from None
    for name in table.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise click.BadParameter(f"{path}: expected a table [{table}], found none", ctx, param)
    defaults = {}
    for key, value in found.items():
        option = known.get(key.replace("_", "-"))
        if option is None:
            names = ", ".join(sorted(known))
            raise click.BadParameter(
                f"{path}: expected one of {names} in [{table}], found {key!r}", ctx, param
            )
        if option.is_flag and not isinstance(value, bool):
            raise click.BadParameter(
                f"{path}: expected true or false as {key} in [{table}], found {value!r}", ctx, param
            )
        if isinstance(option.type, click.types.IntParamType) and not _is_whole(value):
            raise click.BadParameter(
                f"{path}: expected a whole number as {key} in [{table}], found {value!r}", ctx, param
            )
        defaults[option.name] = [value] if option.multiple and not isinstance(value, list) else value
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, or a text, which is read as on the command line."""
    return isinstance(value, int | str) and not isinstance(value, bool)
