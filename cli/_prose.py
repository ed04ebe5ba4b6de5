"""Words for a terminal of any width, broken between words alone.

The invariant: no word is cut, and none is cropped. One that is longer than a line is printed whole, as `git`
does, and the terminal breaks it where it must; copied from there it is still one. Only what is drawn over
again in place (`rich.live`) may be no wider than the terminal: there, such a word goes on in the next line.
"""

from collections.abc import Iterable, Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

_LEAST_BESIDE = 24  # columns for a value beside its label


class Prose:
    """A text in lines, all of them as far from the left as the first one."""

    def __init__(self, text: str, *, style: str = "", indent: int = 0) -> None:
        self._text, self._style, self._indent = text, style, indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in _lines(self._text, options.max_width - self._indent):
            yield Text(" " * self._indent + line, style=self._style)


class Facts:
    """Values with a label each: beside it where there is room, else behind it."""

    def __init__(self, facts: Iterable[tuple[str, str]]) -> None:
        self._facts: Sequence[tuple[str, str]] = list(facts)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        margin = max((cell_len(label) for label, _ in self._facts), default=0) + 2
        if options.max_width - margin < _LEAST_BESIDE:
            yield from (Prose(f"{label.strip()}: {value}".removeprefix(": ")) for label, value in self._facts)
            return
        for label, value in self._facts:
            beside = label + " " * (margin - cell_len(label))
            for line in _lines(value, options.max_width - margin):
                yield Text(beside + line)
                beside = " " * margin


def _lines(text: str, width: int) -> Iterator[str]:
    """Yield lines of at most `width` columns, but for words that are longer."""
    words = iter(text.split(" "))
    line = next(words)
    for word in words:
        if cell_len(line) + 1 + cell_len(word) <= width:
            line += f" {word}"
        else:
            yield line
            line = word
    yield line
