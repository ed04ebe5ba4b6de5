"""How far a load, or a report, is: a bar on standard error, for whoever waits there for more than a second.

Nothing is printed where standard error is no terminal, and nothing stays when it is over.
"""

import sys
import threading
from collections.abc import Iterable, Iterator, Sized
from typing import Protocol, TypeVar

_T_co = TypeVar("_T_co", covariant=True)
AFTER_S = 1.0


class _Files(Sized, Iterable[_T_co], Protocol[_T_co]):
    pass


def followed(files: _Files[_T_co], *, shown: bool, what: str = "reading cassettes") -> Iterator[_T_co]:
    """Yield the files; if `shown`, and it takes longer than a second, with a bar that says `what` is done."""
    if not shown or sys.stderr is None or not sys.stderr.isatty():
        yield from files
        return
    from rich.console import Console  # noqa: PLC0415  (only for whoever sees it)
    from rich.progress import MofNCompleteColumn, Progress, TimeRemainingColumn  # noqa: PLC0415

    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(what, total=len(files))
    later = threading.Timer(AFTER_S, bar.start)  # the first file may take the whole time
    later.daemon = True
    later.start()
    try:
        for file in files:
            yield file
            bar.advance(task)
    finally:
        later.cancel()
        later.join()
        bar.stop()
