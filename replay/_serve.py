"""A replay for code that is not asynchronous: a server in a thread of its own, while a `with` block runs.

Invariant: when the block begins, connections are accepted; when it has ended, the thread has too.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from os import PathLike
from threading import Thread

from tokentape.replay._journal import SeenRequest
from tokentape.replay._load import Path, Repertoire, load
from tokentape.replay._stats import Stats
from tokentape.replay.faults import Fault, Faulty, faults_of
from tokentape.replay.live._on_miss import OnMiss
from tokentape.replay.matching._matching import Matching
from tokentape.replay.serving._certificates import CertificateAuthority
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._out_of_files import say_when_out_of_files
from tokentape.replay.serving._server import Server
from tokentape.replay.timing._quantities import Speed
from tokentape.replay.timing._timing import Timing

_CHANGED_WITHIN_S = 10.0


class Replay:
    """A server that runs in another thread. `stats` may be read also when it has stopped."""

    def __init__(self, server: Server, repertoire: Repertoire, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
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

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last thousand requests in the order in which they came, and what became of each."""
        return self._server.requests

    @property
    def paused(self) -> bool:
        """Whether all answers stand still."""
        return self._server.paused

    @property
    def speed(self) -> Speed:
        """How many times faster than recorded answers are played now."""
        return self._server.speed

    def pause(self) -> None:
        """See `Server.pause`. When this returns, nothing more is written."""
        self._in_its_thread(self._server.pause)

    def resume(self) -> None:
        """See `Server.resume`."""
        self._in_its_thread(self._server.resume)

    def set_speed(self, speed: float) -> None:
        """See `Server.set_speed`."""
        self._in_its_thread(lambda: self._server.set_speed(speed))

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with answers, in the order in which it is applied."""
        return self._server.faults

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; all that they count begins anew.

        They are `Fault` values or their spellings. What has hit so far stays in `stats`. Raises
        `WrongFault`, and changes nothing, if one makes no sense.
        """
        given = faults_of(faults)
        self._in_its_thread(lambda: self._server.set_faults(given))

    def reset(self) -> None:
        """See `Server.reset`."""
        self._in_its_thread(self._server.reset)

    def _in_its_thread(self, change: Callable[[], None]) -> None:
        """Make a change and wait for it. Raises RuntimeError if the server has stopped."""
        made: Future[None] = Future()

        def make() -> None:
            try:
                change()
            except Exception as error:  # noqa: BLE001  (it is raised where the change was asked for)
                made.set_exception(error)
            else:
                made.set_result(None)

        try:
            self._loop.call_soon_threadsafe(make)
        except RuntimeError:  # the loop is closed
            raise RuntimeError("expected a replay that is running, found one that has stopped") from None
        made.result(_CHANGED_WITHIN_S)


@contextmanager
def serve(
    paths: Path | Iterable[Path],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    speed: Speed | None = None,
    timing: Timing | None = None,
    matching: Matching | None = None,
    faults: Iterable[Faulty] = (),
    control: bool = True,
    limits: Limits | None = None,
    tls: ssl.SSLContext | None = None,
    proxy: CertificateAuthority | None = None,
    on_miss: OnMiss | None = None,
) -> Iterator[Replay]:
    """Serve one cassette or several while the block runs.

    ::

        with serve("session.tape", speed="instant") as replay:
            client = openai.OpenAI(base_url=replay.base_url, api_key="any")

    `speed` is a positive number or "instant", the short form of a `timing`; port 0 takes a free one;
    `matching` says which exchange answers which request, by default as `Matching()`; `faults` say what goes
    wrong, as in `["status=429,times=1"]`; `on_miss` that an API is asked for what is not recorded; with
    `control` other processes can steer it under `/-/` (see `Control`); `limits` say what a client may ask
    for, by default as `Limits()`; `tls` and `proxy` are as of `Server`. Answers that are on their way when
    the block ends are cut off. Raises as `load` and `Server.start` do, `WrongFault`, ValueError where
    what is missed can be recorded to none of these paths, and TypeError for a `matching` that is none.
    """
    matching = Matching.chosen(matching)
    names = [paths] if isinstance(paths, str | PathLike) else list(paths)
    on_miss = on_miss and on_miss.into(names)
    faults = faults_of(faults)  # before cassettes are read, which may take long
    repertoire = load(names, speed=speed, timing=timing, growing=on_miss.grows if on_miss else None)
    server = Server(
        repertoire,
        matching=matching,
        faults=faults,
        on_miss=on_miss,
        control=control,
        limits=limits,
        tls=tls,
        proxy=proxy,
    )
    started: Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = Thread(target=_run, args=(server, host, port, started), name="tokentape replay", daemon=True)
    try:
        thread.start()
        loop, _ = started.result()
        yield Replay(server, repertoire, loop)
    finally:
        started.add_done_callback(_stop)  # perhaps it has not started yet: Ctrl-C may come at any time
        if thread.ident is not None:
            thread.join()


def _stop(started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]") -> None:
    if started.exception() is None:
        loop, stop = started.result()
        with suppress(RuntimeError):  # it has stopped by itself
            loop.call_soon_threadsafe(stop.set)


def _run(
    server: Server,
    host: str,
    port: int,
    started: "Future[tuple[asyncio.AbstractEventLoop, asyncio.Event]]",
) -> None:
    async def main() -> None:
        stop = asyncio.Event()
        say_when_out_of_files(asyncio.get_running_loop())
        async with server:
            await server.start(host, port)
            started.set_result((asyncio.get_running_loop(), stop))
            await stop.wait()

    try:
        asyncio.run(main())
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
