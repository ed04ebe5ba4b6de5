"""The options of verbs that load cassettes into tables: which exchanges, how they are read, and grouped."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from tokentape.cli._extras import needs
from tokentape.cli._left_out import say_none_chosen

if TYPE_CHECKING:
    from tokentape.analysis import Recording

R = TypeVar("R")

_OPTIONS = {
    "definitions": ("TOOL", "TTFT, ITL, TPOT, E2E and throughput as aiperf, guidellm, vllm or servebench."),
    "tokens": ("TOKENIZER", "Count tokens anew, with tiktoken:NAME or tokenizers:FILE. Downloads nothing."),
    "dialect": ("NAME", "Read all answers as this API instead of finding out."),
}


@dataclass(frozen=True, kw_only=True)
class Loading:
    """What the options say of how to load: a function from paths to a `Recording`."""

    words: dict[str, Any]
    """The arguments of `load`, and of what else reads cassettes into tables."""

    def __call__(self, paths: Any) -> "Recording":
        """Return the tables of cassettes."""
        with self.understood():
            from tokentape.analysis import load

            return self.chosen(load(paths, **self.words), paths)

    def chosen(self, recording: "Recording", paths: Any) -> "Recording":
        """Return the recording; if the conditions left nothing of it, that is said."""
        if self.words["where"] and recording.exchanges.empty:
            say_none_chosen([paths] if isinstance(paths, str) else paths, self.words["where"])
        return recording

    @contextmanager
    def understood(self) -> Iterator[None]:
        """Make what is wrong with an option an error of the command line."""
        with needs("analysis"):
            from tokentape.analysis import DIALECTS
        dialect = self.words.get("dialect")
        if dialect is not None and dialect not in DIALECTS:
            raise click.BadParameter(
                f"expected one of {', '.join(DIALECTS)}; found {dialect!r}", param_hint="--dialect"
            )
        try:
            with needs("tokenizers"):
                yield
        except ValueError as error:
            raise click.UsageError(str(error)) from error


def reading_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which gets them as `load`."""
    with_load = _with_load(command, ("where", *_OPTIONS))
    for name, (metavar, text) in reversed(_OPTIONS.items()):
        with_load = click.option(f"--{name}", metavar=metavar, help=text)(with_load)
    return with_load


def where_option(command: Callable[..., R]) -> Callable[..., R]:
    """Add --where alone to a command, which gets it as `load`."""
    return _with_load(command, ("where",))


def _with_load(command: Callable[..., R], names: Sequence[str]) -> Callable[..., R]:
    @click.option(
        "--where",
        metavar="CONDITION",
        multiple=True,
        help="Only exchanges such as model=gpt-4o*, status>=400 or label.env=prod (repeatable).",
    )
    @wraps(command)
    def with_load(*arguments: Any, **options: Any) -> R:
        words = {name: options.pop(name) for name in names}
        return command(*arguments, load=Loading(words=words), **options)

    return with_load


def by_option(text: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Return what adds --by, which can be repeated, with its help: names of columns, or None."""
    return click.option("--by", metavar="COLUMN", multiple=True, callback=grouping, help=text)


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
