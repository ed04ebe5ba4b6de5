"""The options of verbs that load cassettes into tables: which exchanges, how they are read, and grouped."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import click

from tokentape.cli._extras import needs

R = TypeVar("R")

_OPTIONS = {
    "definitions": ("TOOL", "TTFT, ITL, TPOT and E2E as aiperf, guidellm, vllm or servebench."),
    "tokens": ("TOKENIZER", "Count tokens anew, with tiktoken:NAME or tokenizers:FILE. Downloads nothing."),
    "dialect": ("NAME", "Read all answers as this API instead of finding out."),
}


def reading_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which gets `load`: a function from paths to a `Recording`.

    With `using`, a function of the same arguments, it returns what that makes of the paths. What is wrong
    with an option or a file becomes an error of the command line.
    """

    @click.option(
        "--where",
        metavar="CONDITION",
        multiple=True,
        help="Only exchanges such as model=gpt-4o*, status>=400 or label.env=prod (repeatable).",
    )
    @wraps(command)
    def with_load(*arguments: Any, **options: Any) -> R:
        words = {name: options.pop(name) for name in ("where", *_OPTIONS)}

        def loaded(paths: Any, using: Callable[..., Any] | None = None) -> Any:
            with needs("analysis"):
                from tokentape.analysis import DIALECTS, load
            if words["dialect"] is not None and words["dialect"] not in DIALECTS:
                raise click.BadParameter(
                    f"expected one of {', '.join(DIALECTS)}; found {words['dialect']!r}",
                    param_hint="--dialect",
                )
            try:
                with needs("tokenizers"):
                    return (using or load)(paths, **words)
            except ValueError as error:
                raise click.UsageError(str(error)) from error

        return command(*arguments, load=loaded, **options)

    for name, (metavar, text) in reversed(_OPTIONS.items()):
        with_load = click.option(f"--{name}", metavar=metavar, help=text)(with_load)
    return with_load


def grouping(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001
    names: tuple[str, ...],
) -> tuple[str, ...] | None:
    """Return what to group by, None for nothing; a usage error says what there is before anything is read."""
    if not names:
        return None
    with needs("analysis"):
        from tokentape.analysis import GROUPINGS
    for name in names:
        if name not in GROUPINGS and not name.startswith("label."):
            raise click.BadParameter(f"expected one of {', '.join(GROUPINGS)}, label.NAME; found {name!r}")
        if names.count(name) > 1:
            raise click.BadParameter(f"expected each column once, found {name!r} twice")
    return names
