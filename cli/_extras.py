"""What to say where a verb needs a package that the base install leaves out."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@contextmanager
def needs(extra: str) -> Iterator[None]:
    """Around a verb's imports: a package that is missing becomes one line that says how to add it."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("tokentape"):
            raise
        raise click.ClickException(
            f"this needs the package {error.name!r}, which is not installed; "
            f"add it with: pip install 'tokentape[{extra}]'"
        ) from error
