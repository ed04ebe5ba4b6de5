"""The server: a repertoire, a port and a pacer, on the event loop that is running.

It answers every request that it can read: from the recording, or with a 404 that says what came nearest.
404 because SDKs retry 408, 409, 429 and 5xx, which would hide a miss behind waiting.
"""

import asyncio
import logging
import time
from collections import Counter
from types import TracebackType
from typing import Self

from tokentape.replay._base_path import base_path
from tokentape.replay._connection import Connection, Reply
from tokentape.replay._errors import CannotListen
from tokentape.replay._lateness import Lateness
from tokentape.replay._load import Recorded, Repertoire
from tokentape.replay._matching import Matcher, RequestKey, request_key
from tokentape.replay._openai_error import error_response
from tokentape.replay._pacer import Clock, Pacer
from tokentape.replay._requests import IncomingRequest
from tokentape.replay._stats import Missed, Served, Stats

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
_MAX_MISSED_KINDS = 1_000
_MAX_EXPLAINED = 100
_BACKLOG = 1_024  # a load test opens its connections all at once


class Server:
    """Serves a repertoire; an async context manager that stops at the end.

    `start` and `stop` belong to one event loop; the properties may be read from any thread.
    """

    def __init__(self, repertoire: Repertoire, *, clock: Clock = time.monotonic_ns) -> None:
        self._clock = clock
        self._matcher: Matcher[Recorded] = Matcher(repertoire.recorded)
        self._base_path = base_path(recorded.key.path for recorded in repertoire.recorded)
        self._misses = 0
        self._missed: Counter[tuple[str, str]] = Counter()
        self._explained: list[str] = []
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
        return tuple(self._explained)

    @property
    def stats(self) -> Stats:
        """What was done so far."""
        pairs = zip(self._matcher.recorded, self._matcher.times_served, strict=True)
        return Stats(
            served=tuple(
                Served(
                    method=recorded.key.method,
                    path=recorded.key.shown_path,
                    status=recorded.status,
                    source=recorded.source,
                    times=times,
                    timed=recorded.times == "all",
                )
                for recorded, times in pairs
            ),
            missed=tuple(
                Missed(method=method, path=path, times=times)
                for (method, path), times in self._missed.copy().items()
            ),
            misses=self._misses,
            lateness=self._lateness.summary(),
            cut_off=self._cut_off,
        )

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
        key = request_key(request.method, request.target, request.body, request.content_encoding)
        recorded = self._matcher.take(key)
        if recorded is None:
            return Reply(now=self._miss(key, close=not request.keep_alive or request.http_version == "1.0"))
        answer = recorded.answer
        if request.http_version == "1.0":
            return Reply(parts=answer.for_http10(), closes=True)
        if not request.keep_alive:
            return Reply(parts=answer.closing(), closes=True)
        return Reply(parts=answer.parts, closes=answer.closes)

    def _miss(self, key: RequestKey, *, close: bool) -> bytes:
        asked = (key.method, key.shown_path)
        self._misses += 1
        if asked in self._missed or len(self._missed) < _MAX_MISSED_KINDS:
            self._missed[asked] += 1
        lines = self._matcher.explain_miss(key)
        _log.warning("not recorded: %s; %s", key, "; ".join(lines[:3]))
        message = "\n".join([f"{key} with this body is not in the recording", *lines])
        if len(self._explained) < _MAX_EXPLAINED:
            self._explained.append(message)
        return error_response(
            404,
            message,
            kind="invalid_request_error",
            code="not_recorded",
            with_body=key.method != "HEAD",
            close=close,
        )
