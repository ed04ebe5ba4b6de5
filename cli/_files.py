"""The FILE arguments of verbs that read cassettes."""

import click


def once_from_stdin(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001
    files: tuple[str, ...],
) -> tuple[str, ...]:
    """Return the files as they are; a usage error if standard input is to be read twice."""
    if files.count("-") > 1:
        raise click.BadParameter("expected - once, since standard input can be read once")
    return files
