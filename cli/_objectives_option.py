"""Objectives as they are written on a command line: `ttft_ms=500,gap_ms=200`."""

from math import isfinite

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
        from tokentape.analysis import OBJECTIVES
    found: dict[str, float] = {}
    for each in text.split(","):
        name, _, bound = (part.strip() for part in each.partition("="))
        try:
            found[name] = float(bound)
        except ValueError:
            raise click.BadParameter(f"expected NAME=NUMBER such as ttft_ms=500, found {each!r}") from None
        if name not in OBJECTIVES:
            raise click.BadParameter(f"expected one of {', '.join(OBJECTIVES)}; found {name!r}")
        if not isfinite(found[name]):
            raise click.BadParameter(f"expected a number that is finite, found {each!r}")
    return found
