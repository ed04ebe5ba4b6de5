"""Where tables are printed."""

from rich.console import Console, RenderableType


def print_table(table: RenderableType) -> None:
    """Print to stdout; what goes into a file or a pipe is not folded at rich's 80 columns.

    Nothing is cropped: what is wider than a terminal is broken by it.
    """
    console = Console()
    if not console.is_terminal:
        console.width = 160
    console.print(table, overflow="ignore", crop=False)
