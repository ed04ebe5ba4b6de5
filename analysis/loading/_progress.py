"""How far a load, or a report, is: a bar on standard error, for whoever waits there for more than a second.

Nothing is printed where standard error is no terminal, and nothing stays when it is over.
"""

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Protocol, TypeAlias, TypeVar

_T_co = TypeVar("_T_co", covariant=True)
AFTER_S = 1.0
Tell: TypeAlias = Callable[[int, int], None]


class _Files(Sized, Iterable[_T_co], Protocol[_T_co]):
    pass


def followed(files: _Files[_T_co], *, shown: bool, what: str = "reading cassettes") -> Iterator[_T_co]:
    """Yield the files; if `shown`, and it takes longer than a second, with a bar that says `what` is done."""
    with bar(what, shown=shown) as tell:
        for done, file in enumerate(files):
            tell(done, len(files))
            yield file


@contextmanager
def bar(what: str, *, shown: bool) -> Iterator[Tell]:
    """Give what is to be told how many are done, and of how many; any thread may. It is a bar if `shown`."""
    if not is_seen(shown=shown):
        yield lambda _done, _total: None
        return
    from rich.console import Console  # noqa: PLC0415  (only for whoever sees it)
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    drawn = Progress(*columns, console=Console(stderr=True), transient=True)
    task = drawn.add_task(what, total=None)
    later = threading.Timer(AFTER_S, drawn.start)  # the first file may take the whole time
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
