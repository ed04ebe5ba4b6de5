"""The server: a repertoire, a port and a pacer, on the event loop that is running.

It answers every request that it can read: from the recording, or with a 404 that says what came nearest.
The list of models is made of what was recorded, if it was not recorded itself.
404 because SDKs retry 408, 409, 429 and 5xx, which would hide a miss behind waiting.
"""

import asyncio
import time
from fractions import Fraction
from types import TracebackType
from typing import Self

from tokentape.replay._base_path import base_path
from tokentape.replay._connection import Connection, Reply
from tokentape.replay._errors import CannotListen
from tokentape.replay._lateness import Lateness
from tokentape.replay._load import Recorded, Repertoire
from tokentape.replay._matcher import Matcher
from tokentape.replay._matching import Matching
from tokentape.replay._misses import Misses
from tokentape.replay._models import listed, models_response
from tokentape.replay._openai_error import error_response
from tokentape.replay._pacer import Clock, Pacer
from tokentape.replay._quantities import Speed, parse_factor
from tokentape.replay._request_key import RequestKey, request_key
from tokentape.replay._requests import IncomingRequest
from tokentape.replay._stats import Served, Stats

_BACKLOG = 1_024  # a load test opens its connections all at once


class Server:
    """Serves a repertoire; an async context manager that stops at the end.

    The methods belong to one event loop; the properties may be read from any thread.
    """

    def __init__(
        self,
        repertoire: Repertoire,
        *,
        matching: Matching | None = None,
        clock: Clock = time.monotonic_ns,
    ) -> None:
        self._clock = clock
        self._timing = repertoire.timing
        self._speed = repertoire.timing.speed
        self._matching = matching or Matching()
        self._matcher: Matcher[Recorded] = Matcher(repertoire.recorded, self._matching)
        self._base_path = base_path(recorded.key.path for recorded in repertoire.recorded)
        self._models = _models(repertoire)
        self._models_listed = 0
        self._gone: tuple[Served, ...] = ()
        self._misses = Misses()
        self._cut_off = 0
        self._connections: set[Connection] = set()
        self._listener: asyncio.Server | None = None
        self._lateness = Lateness()
        self._pacer: Pacer | None = None
        self._stopping = False
        self._nothing_open = asyncio.Event()
        self._address = ("", 0)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Accept connections when this returns. Port 0 is a free one, which `address` then has.

        Raises `CannotListen`, with the reason, if the system does not allow it.
        """
        self._pacer = Pacer(self._lateness, clock=self._clock)
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._connection, host, port, backlog=_BACKLOG
            )
        except (OSError, UnicodeError) as error:
            self._pacer.close()
            reason = error.strerror if isinstance(error, OSError) and error.strerror else error
            raise CannotListen(
                f"cannot listen on {host}:{port}: {reason}; choose another address, "
                "or port 0 for any that is free"
            ) from None
        self._address = self._listener.sockets[0].getsockname()[:2]

    async def stop(self, *, grace_s: float = 0.0) -> None:
        """Close the port, let answers that are on their way end within `grace_s`, then cut off the rest."""
        if self._listener is None or self._pacer is None:
            return
        self._stopping = True
        self._listener.close()
        for connection in [*self._connections]:
            connection.finish()
        if grace_s > 0:
            await self._all_closed(grace_s)
        self._cut_off += sum(connection.busy for connection in self._connections)
        for connection in [*self._connections]:
            connection.abort()
        await self._all_closed(None)
        self._pacer.close()
        self._listener = None

    def pause(self) -> None:
        """Let all answers stand still, those on their way and those of requests that come, until `resume`."""
        self._playing().pause()

    def resume(self) -> None:
        """Go on with all answers from where they stood."""
        self._playing().resume()

    def set_speed(self, speed: float) -> None:
        """Play what is left of all answers, and those that come, `speed` times faster than recorded.

        Times that the timing fixes (a TTFT, a pace, a delay) change in the same proportion. Raises
        ValueError for what is no positive number, and where the timing is "instant", which waits for nothing.
        """
        speed = parse_factor(speed)
        if self._timing.speed == "instant":
            raise ValueError("expected a replay with a speed that is a number, found one that is instant")
        self._playing().set_rate(Fraction(speed) / Fraction(self._timing.speed))
        self._speed = speed

    @property
    def paused(self) -> bool:
        """Whether all answers stand still."""
        return self._pacer is not None and self._pacer.paused

    @property
    def speed(self) -> Speed:
        """How many times faster than recorded answers are played now."""
        return self._speed

    @property
    def address(self) -> tuple[str, int]:
        """The host and port that are listened on, once it is started."""
        return self._address

    @property
    def url(self) -> str:
        """The root, such as http://127.0.0.1:8090."""
        host, port = self._address
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def base_url(self) -> str:
        """What an SDK takes as its base URL: the root and what the recorded paths begin with, as /v1."""
        return self.url + self._base_path

    @property
    def running(self) -> int:
        """How many connections have an answer on its way."""
        return sum(connection.busy for connection in [*self._connections])

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing, the first hundred of them."""
        return self._misses.explanations

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        return Stats(
            served=(*_served(self._matcher), *self._gone),
            missed=self._misses.kinds,
            misses=self._misses.count,
            models_listed=self._models_listed,
            lateness=self._lateness.summary(),
            cut_off=self._cut_off,
            speed=self._speed_achieved(),
        )

    def _playing(self) -> Pacer:
        if self._pacer is None:
            raise RuntimeError("expected a server that was started")
        return self._pacer

    def _speed_achieved(self) -> float | None:
        pacer = self._pacer
        return (
            pacer.recorded_ns / pacer.played_ns if pacer and pacer.recorded_ns and pacer.played_ns else None
        )

    def prepare(self, repertoire: Repertoire) -> Matcher[Recorded]:
        """Return what `replace` takes; it may take long, and may be done in another thread."""
        return Matcher(repertoire.recorded, self._matching)

    def replace(self, repertoire: Repertoire, prepared: Matcher[Recorded] | None = None) -> None:
        """Serve another repertoire from now on; answers that are on their way go on as they are.

        What was asked and served counts on for exchanges that are in both. What is no longer there stays
        in `stats` if it was served. `prepared` is what `prepare` made of the repertoire.
        """
        matcher = prepared or self.prepare(repertoire)
        matcher.go_on_from(self._matcher.counts())
        there = {(recorded.source, recorded.key) for recorded in matcher.recorded}
        before = zip(self._matcher.recorded, _served(self._matcher), strict=True)
        self._gone += tuple(
            served
            for recorded, served in before
            if served.times and (recorded.source, recorded.key) not in there
        )
        self._matcher = matcher
        self._base_path = base_path(recorded.key.path for recorded in repertoire.recorded)
        self._models = _models(repertoire)

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return what a request is answered with, and count it; one at a time, as all of this."""
        return self._answer(request)

    async def _all_closed(self, timeout_s: float | None) -> None:
        if not self._connections:
            return
        self._nothing_open.clear()
        try:
            await asyncio.wait_for(self._nothing_open.wait(), timeout_s)
        except TimeoutError:
            return

    def _connection(self) -> Connection:
        assert self._pacer is not None  # noqa: S101  (there is one before the port is open)
        return Connection(
            answer=self._answer,
            pacer=self._pacer,
            clock=self._clock,
            opened=self._opened,
            lost=self._lost,
        )

    def _opened(self, connection: Connection) -> None:
        self._connections.add(connection)
        if self._stopping:
            connection.abort()

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._nothing_open.set()

    def _answer(self, request: IncomingRequest) -> Reply:
        key = request_key(request.method, request.target, request.body, request.headers)
        recorded = self._matcher.take(key)
        if recorded is None:
            return self._unrecorded(key, close=not request.keep_alive or request.http_version == "1.0")
        answer = recorded.answer
        recorded_ns = answer.recorded_ns if recorded.times == "all" else 0
        if request.http_version == "1.0":
            return Reply(parts=answer.for_http10(), closes=True, recorded_ns=recorded_ns)
        if not request.keep_alive:
            return Reply(parts=answer.closing(), closes=True, recorded_ns=recorded_ns)
        return Reply(parts=answer.parts, closes=answer.closes, recorded_ns=recorded_ns)

    def _unrecorded(self, key: RequestKey, *, close: bool) -> Reply:
        miss = self._matcher.why_not(key)
        if key.method == "GET" and miss.code == "not_recorded":
            path = key.path.partition(b"?")[0].decode("utf-8", "replace")
            if (models := listed(path, self._base_path, self._models)) is not None:
                self._models_listed += 1
                return Reply(now=models_response(models, close=close))
        self._misses.add(key, miss)
        response = error_response(
            404,
            "\n".join(miss.lines),
            kind="invalid_request_error",
            code=miss.code,
            with_body=key.method != "HEAD",
            close=close,
        )
        return Reply(now=response)


def _models(repertoire: Repertoire) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for recorded in repertoire.recorded for name in recorded.models))


def _served(matcher: Matcher[Recorded]) -> tuple[Served, ...]:
    return tuple(
        Served(
            method=recorded.key.method,
            path=recorded.key.shown_path,
            status=recorded.status,
            source=recorded.source,
            times=times,
            timed=recorded.times == "all",
        )
        for recorded, times in zip(matcher.recorded, matcher.times_served, strict=True)
    )
