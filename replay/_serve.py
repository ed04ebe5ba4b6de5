"""A replay for code that is not asynchronous: a server in a thread of its own, while a `with` block runs.

Invariant: when the block begins, connections are accepted; when it has ended, the thread has too.
"""

import asyncio
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from threading import Thread

from tokentape.replay._load import Path, Repertoire, load
from tokentape.replay._schedule import Speed
from tokentape.replay._server import Server
from tokentape.replay._stats import Stats


class Replay:
    """A server that runs in another thread. `stats` may be read also when it has stopped."""

    def __init__(self, server: Server, repertoire: Repertoire) -> None:
        self._server = server
        self.repertoire = repertoire
        """What is served, and what was lost or left out (`lost`, `remarks`)."""
        self.url = server.url
        """The root, such as http://127.0.0.1:41233."""
        self.base_url = server.base_url
        """What an SDK takes as its base URL, such as http://127.0.0.1:41233/v1."""

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing: the nearest one and the difference."""
        return self._server.explanations

    @property
    def stats(self) -> Stats:
        """What was served so far, what was missed, and how late pieces were."""
        return self._server.stats


@contextmanager
def serve(
    paths: Path | Iterable[Path], *, host: str = "127.0.0.1", port: int = 0, speed: Speed = 1.0
) -> Iterator[Replay]:
    """Serve one cassette or several while the block runs.

    ::

        with serve("session.tape", speed="instant") as replay:
            client = openai.OpenAI(base_url=replay.base_url, api_key="any")

    `speed` is a positive number or "instant"; port 0 takes a free one. Answers that are on their way when
    the block ends are cut off. Raises as `load` and `Server.start` do.
    """
    repertoire = load(paths, speed=speed)
    started: Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = Thread(target=_run, args=(repertoire, host, port, started), name="tokentape replay", daemon=True)
    thread.start()
    try:
        server, loop, stop = started.result()
        try:
            yield Replay(server, repertoire)
        finally:
            loop.call_soon_threadsafe(stop.set)
    finally:
        thread.join()


def _run(
    repertoire: Repertoire,
    host: str,
    port: int,
    started: "Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        async with Server(repertoire) as server:
            await server.start(host, port)
            started.set_result((server, asyncio.get_running_loop(), stop))
            await stop.wait()

    try:
        asyncio.run(main())
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
