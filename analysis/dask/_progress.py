"""How far a computation is, wherever Dask computes it: the bar of `load`, over tasks.

The invariant: what is computed is the same with a bar and without, and a bar that fails costs nothing else.
"""

from contextlib import suppress
from typing import Any

from dask.base import compute, get_scheduler
from dask.callbacks import Callback
from distributed import Client
from distributed.diagnostics.progressbar import ProgressBar

from tokentape.progress import Tell, bar, is_seen


def computed(nodes: list[Any], *, what: str, shown: bool) -> tuple[Any, ...]:
    """Return what these delayed values are; if `shown`, a bar on a terminal says how far that is."""
    if not is_seen(shown=shown):
        return compute(*nodes)  # type: ignore[no-any-return]  # dask has no types
    client = getattr(get_scheduler(), "__self__", None)
    with bar(what, shown=shown) as tell:
        if not isinstance(client, Client):
            with _Here(tell):
                return compute(*nodes)  # type: ignore[no-any-return]
        futures = client.compute(nodes)
        if client.loop is not None:
            client.loop.add_callback(_OnCluster(futures, tell).listen)
        return tuple(client.gather(futures))


class _Here(Callback):
    """Tells of the tasks of this process's threads."""

    def __init__(self, tell: Tell) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._tell = tell

    def _posttask(self, _key: Any, _result: Any, _dsk: Any, state: Any, _worker: Any) -> None:
        done = len(state["finished"])
        self._tell(done, done + sum(len(state[name]) for name in ("ready", "waiting", "running")))


class _OnCluster(ProgressBar):
    """Tells of the tasks of a cluster, as its scheduler says ten times a second."""

    def __init__(self, futures: list[Any], tell: Tell) -> None:
        super().__init__(futures)  # type: ignore[no-untyped-call]
        self._tell = tell

    async def listen(self) -> None:
        with suppress(OSError):  # the scheduler went away: whoever waits for the result says that
            await super().listen()  # type: ignore[no-untyped-call]

    def _draw_bar(self, *, remaining: int, all: int, **_: Any) -> None:  # noqa: A002  (distributed's name)
        self._tell(all - remaining, all)
