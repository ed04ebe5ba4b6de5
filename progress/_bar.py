"""Bars that appear after a second, over steps or over the bytes of files."""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, Protocol, TypeAlias, TypeVar

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)
AFTER_S = 1.0
Tell: TypeAlias = Callable[[int, int | None], None]
"""Takes how many are done, and of how many; None if nobody knows."""


class _Counted(Sized, Iterable[_T_co], Protocol[_T_co]):
    pass


class Follow(Protocol):
    """What passes on the items of one file after another, and has the bar follow `position` in it."""

    def __call__(self, items: Iterable[_T], position: Callable[[], int]) -> Iterator[_T]:
        """Yield the items. `position` returns how many bytes of the file were read by then."""


def followed(steps: _Counted[_T_co], *, shown: bool, what: str) -> Iterator[_T_co]:
    """Yield the steps; if `shown`, and it takes longer than a second, with a bar that says `what` is done."""
    with bar(what, shown=shown) as tell:
        for done, step in enumerate(steps):
            tell(done, len(steps))
            yield step


@contextmanager
def reading_bar(files: Sequence[str], *, shown: bool, what: str = "reading cassettes") -> Iterator[Follow]:
    """Give what follows the reading of files, in their order: over their bytes, if their sizes are known."""
    if not is_seen(shown=shown):
        yield lambda items, _: iter(items)
        return
    sizes = [_size(file) for file in files]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    before = 0

    def follow(items: Iterable[_T], position: Callable[[], int]) -> Iterator[_T]:
        nonlocal before
        for item in items:
            tell(before + position(), total)
            yield item
        before += position()

    with bar(what, shown=shown, of="bytes") as tell:
        yield follow


@contextmanager
def bar(what: str, *, shown: bool, of: Literal["steps", "bytes"] = "steps") -> Iterator[Tell]:
    """Give what is to be told how many are done, and of how many; any thread may. It is a bar if `shown`."""
    if not is_seen(shown=shown):
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415  (only for whoever sees it)
    from rich.progress import (  # noqa: PLC0415
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TimeRemainingColumn,
    )

    counted = MofNCompleteColumn() if of == "steps" else DownloadColumn()
    columns = (*Progress.get_default_columns()[:2], counted, TimeRemainingColumn())
    # What is printed meanwhile goes where it would have gone: standard output may be no terminal.
    drawn = Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False)
    task = drawn.add_task(what, total=None)
    later = threading.Timer(AFTER_S, drawn.start)  # the first step may take the whole time
    later.daemon = True
    later.start()
    try:
        yield lambda done, total: drawn.update(task, completed=done, total=total)
    finally:
        later.cancel()
        later.join()
        drawn.stop()


def is_seen(*, shown: bool) -> bool:
    """Return whether a bar is wanted and somebody may see it."""
    return shown and sys.stderr is not None and sys.stderr.isatty()


def _size(file: str) -> int | None:
    try:
        return None if file == "-" else Path(file).stat().st_size
    except OSError:  # whoever reads it says what is wrong
        return 0
