"""Objectives as they are written on a command line: `ttft_ms=500,gap_ms=200`."""

import click

from tokentape.cli._extras import needs


def objectives_of(
    ctx: click.Context,  # noqa: ARG001  (click's signature)
    param: click.Parameter,  # noqa: ARG001
    text: str | None,
) -> dict[str, float] | None:
    """Return objectives by name; a usage error says what was expected, before anything is read."""
    if text is None:
        return None
    with needs("analysis"):
        from tokentape.analysis import check_objectives
    found: dict[str, float] = {}
    for each in text.split(","):
        name, _, bound = (part.strip() for part in each.partition("="))
        if name in found:
            raise click.BadParameter(f"expected each objective once, found {name!r} twice")
        try:
            found[name] = float(bound)
        except ValueError:
            raise click.BadParameter(f"expected NAME=NUMBER such as ttft_ms=500, found {each!r}") from None
    try:
        check_objectives(found)
    except ValueError as error:
        raise click.BadParameter(str(error)) from error
    return found
