"""A table for a terminal of any width: the same labels and numbers in each, none of them cut.

A row has labels, in levels of which the first is the widest group, and cells. It is printed in the first
of these shapes that fits:

1. a line a row, a label only where it is another one than in the row above;
2. the same with labels of the first level as headings above their rows, then those of the second, too;
3. a line a cell, with its name, below the labels of its row.

The invariant: a label or a number is printed whole or, if no shape has the room, wider than the terminal:
part of a number is another number, and a row without its label is about nothing. What is drawn over again
in place goes on in the next line there, see `_prose`.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from tokentape.cli._prose import Prose

_ANY_WIDTH = 1_000_000


@dataclass(frozen=True, slots=True)
class _Row:
    labels: tuple[tuple[str, ...], ...]
    cells: tuple[Text, ...]

    def begins(self, level: int, before: "_Row | None") -> bool:
        """Whether its labels down to this level are others than in the row before."""
        return before is None or self.labels[: level + 1] != before.labels[: level + 1]


class ShownTable:
    """Takes rows, and knows its width only when it is drawn.

    `levels` are the names of the columns of labels, level by level, and `cells` those of the others; those
    in `words` are no numbers.
    """

    def __init__(
        self, levels: Sequence[Sequence[str]], cells: Sequence[str], *, words: Collection[str] = ()
    ) -> None:
        self._levels = [tuple(level) for level in levels if level]
        self._cells = tuple(cells)
        self._words = words
        self._rows: list[_Row] = []

    def add(self, labels: Sequence[Sequence[str]], cells: Sequence[Text | str]) -> None:
        """Add a row: labels as `levels` has their names, a cell for each of `cells`; safe to print."""
        self._rows.append(
            _Row(
                tuple(tuple(level) for level in labels if level),
                tuple(Text(cell) if isinstance(cell, str) else cell for cell in cells),
            )
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for headings in range(len(self._levels) + 1):
            table = self._table(headings)
            wide = options.update(max_width=_ANY_WIDTH)
            if Measurement.get(console, wide, table).maximum <= options.max_width:
                yield Text()
                yield from self._under_headings(headings, table, console, options) if headings else [table]
                yield Text()
                return
        yield from self._stacked(options.max_width)
        yield Text()

    def _table(self, headings: int) -> Table:
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for level in self._levels[headings:]:
            for name in level:
                table.add_column(Text(name), no_wrap=True)
        for name in self._cells:
            table.add_column(Text(name), justify="left" if name in self._words else "right", no_wrap=True)
        last = len(self._levels) - 1
        for before, row in pairwise([None, *self._rows]):
            assert row is not None  # noqa: S101  (only the first has none before it)
            labels = [
                Text(label if level == last or row.begins(level, before) else "")
                for level, names in enumerate(row.labels)
                if level >= headings
                for label in names
            ]
            if not headings and before is not None and row.begins(last - 1, before) and last > 0:
                table.add_section()
            table.add_row(*labels, *row.cells)
        return table

    def _under_headings(
        self, headings: int, table: Table, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        """Yield the head of a table, and each of its lines below the labels that it does not have."""
        drawn = console.render_lines(table, options, pad=False)
        head = len(drawn) - len(self._rows)
        for line in drawn[:head]:
            yield Text.assemble(*((part.text, part.style or "") for part in line))
        for (before, row), line in zip(pairwise([None, *self._rows]), drawn[head:], strict=True):
            assert row is not None  # noqa: S101
            yield from self._headings(row, before, headings)
            yield Text.assemble(*((part.text, part.style or "") for part in line))

    def _stacked(self, width: int) -> Iterator[RenderableType]:
        depth = 2 * len(self._levels)
        names = max(map(cell_len, self._cells), default=0)
        beside = width - depth - names - 2
        numbers = max((size for size in self._sizes_of_numbers() if size <= beside), default=0)
        for before, row in pairwise([None, *self._rows]):
            assert row is not None  # noqa: S101
            if not self._levels:
                yield Text()
            yield from self._headings(row, before, len(self._levels), as_tree=True)
            for name, cell in zip(self._cells, row.cells, strict=True):
                if name not in self._words and 0 < cell.cell_len <= numbers:
                    gap = names + 2 + numbers - cell_len(name) - cell.cell_len
                    yield Text.assemble(" " * depth, name, " " * gap, cell)
                elif cell:
                    yield Prose(f"{name}: {cell.plain}", style=str(cell.style), indent=depth)

    def _sizes_of_numbers(self) -> Iterator[int]:
        for row in self._rows:
            for name, cell in zip(self._cells, row.cells, strict=True):
                if name not in self._words:
                    yield cell.cell_len

    def _headings(
        self, row: _Row, before: _Row | None, levels: int, *, as_tree: bool = False
    ) -> Iterator[RenderableType]:
        """Yield a line for each of these levels in which the row begins a group.

        `as_tree`: each further to the right than the one above, and the last above every row.
        """
        for level in range(levels):
            begins = row.begins(level, before)
            if not begins and not (as_tree and level == levels - 1):
                continue
            if level == 0 and (as_tree or levels < len(self._levels) or before is None):
                yield Text()  # not where each row has a heading of its own
            words = ", ".join(map(_named, self._levels[level], row.labels[level]))
            style = "bold" if begins and (level == 0 or not as_tree) else ""
            yield Prose(words, style=style, indent=2 * level if as_tree else 0)


def _named(name: str, label: str) -> str:
    """Return a label of a heading; a column without a name has labels that say what they are."""
    if name and label:
        return f"{name}: {label}"
    return label or f"without {name}"
