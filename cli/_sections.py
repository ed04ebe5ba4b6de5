"""A verb with many options says in its help what belongs together: a heading, and the options below it."""

from collections.abc import Mapping, Sequence
from typing import Any

import click


class Sectioned(click.Command):
    """A command whose `sections` are headings with the names of options; the others come last, as "Other"."""

    def __init__(self, *args: Any, sections: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write a table for each section."""
        left = {
            str(option.name): option for option in self.get_params(ctx) if isinstance(option, click.Option)
        }
        for heading, names in self.sections.items():
            _write(heading, [left.pop(name) for name in names], ctx, formatter)
        _write("Other", [*left.values()], ctx, formatter)


def _write(
    heading: str, options: Sequence[click.Option], ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    rows = [row for option in options if (row := option.get_help_record(ctx)) is not None]
    with formatter.section(heading):
        formatter.write_dl(rows)
