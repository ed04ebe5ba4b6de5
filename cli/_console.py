"""Where tables are printed."""

from rich.console import Console, RenderableType

_ANY_WIDTH = 1_000_000


def print_table(table: RenderableType) -> None:
    """Print to stdout; what goes into a file or a pipe is as wide as it is, whatever the names in it.

    Nothing is cropped: what is wider than a terminal is broken by it.
    """
    console = Console()
    if not console.is_terminal:
        console.width = _ANY_WIDTH
    console.print(table, overflow="ignore", crop=False)
