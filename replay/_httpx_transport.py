"""Transports for httpx and httpx2 that answer from cassettes: no socket, and recorded times in no time.

The two libraries have the same interface; which one is used decides whose classes a transport is made of.
Invariant: neither is imported before a transport for it is asked for.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib import import_module
from typing import Any

from tokentape.replay._in_process import BrokenOff, InProcess, TooSlow, WasReset
from tokentape.replay._journal import SeenRequest
from tokentape.replay._load import Path, Repertoire, load
from tokentape.replay._stats import Stats
from tokentape.replay.faults import Fault, Faulty
from tokentape.replay.matching._matching import Matching
from tokentape.replay.serving._requests import IncomingRequest
from tokentape.replay.timing._quantities import Speed
from tokentape.replay.timing._timing import Timing


def httpx_transport(
    paths: Path | Iterable[Path],
    *,
    speed: Speed | None = None,
    timing: Timing | None = None,
    matching: Matching | None = None,
    faults: Iterable[Faulty] = (),
) -> Any:
    """Return a transport for `httpx.Client` and `httpx.AsyncClient`.

    ::

        transport = httpx_transport("session.tape")
        client = openai.OpenAI(base_url=transport.base_url, http_client=httpx.Client(transport=transport))

    It never waits. `now_ns` is its own time, which each piece moves to when it would have come; where the
    client's read timeout would have passed meanwhile, httpx.ReadTimeout is raised. Streams that are read
    side by side share the time. It has `base_url`, and `stats`, `explanations`, `requests`, `reset`, `faults`
    and `set_faults` as `Replay` has them. `speed`, `timing`, `matching` and `faults` are those of `serve`:
    a stall moves the clock, a reset is httpx.ReadError. Raises as `load` does, `WrongFault`, and ImportError
    where there is no httpx.
    """
    return _transport("httpx", load(paths, speed=speed, timing=timing), matching, faults)


def httpx2_transport(
    paths: Path | Iterable[Path],
    *,
    speed: Speed | None = None,
    timing: Timing | None = None,
    matching: Matching | None = None,
    faults: Iterable[Faulty] = (),
) -> Any:
    """Return the same for `httpx2`, which openai from 3 and anthropic from 2 on use."""
    return _transport("httpx2", load(paths, speed=speed, timing=timing), matching, faults)


def _transport(name: str, repertoire: Repertoire, matching: Matching | None, faults: Iterable[Faulty]) -> Any:
    library: Any = import_module(name)
    made = type("CassetteTransport", (_Transport, library.BaseTransport, library.AsyncBaseTransport), {})
    return made(library, InProcess(repertoire, matching=matching, faults=faults))


class _Transport:
    """What a transport of either library does; the library's own classes come beside it."""

    def __init__(self, library: Any, replay: InProcess) -> None:
        self._library = library
        self._replay = replay
        self._stream = type("Stream", (_Stream, library.SyncByteStream, library.AsyncByteStream), {})
        self._checkpoint = import_module("anyio.lowlevel").checkpoint  # both libraries depend on it
        self.base_url = "http://cassette.invalid" + replay.base_path

    @property
    def now_ns(self) -> int:
        """The time that has come, by the pieces that were read."""
        return self._replay.clock.now_ns

    @property
    def stats(self) -> Stats:
        """What was served so far, and what was missed."""
        return self._replay.stats

    @property
    def explanations(self) -> tuple[str, ...]:
        """What was answered to each request that matched nothing."""
        return self._replay.explanations

    @property
    def requests(self) -> tuple[SeenRequest, ...]:
        """The last thousand requests in the order in which they came, and what became of each."""
        return self._replay.requests

    def reset(self) -> None:
        """Begin again: every request gets its first answer, and nothing was served, missed or seen."""
        self._replay.reset()

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What goes wrong with answers, in the order in which it is applied."""
        return self._replay.faults

    def set_faults(self, faults: Iterable[Faulty]) -> None:
        """Have these faults, and no others, from the next request on; all that they count begins anew."""
        self._replay.set_faults(faults)

    def handle_request(self, request: Any) -> Any:
        """Answer a request of a `Client`."""
        return self._answer(request, request.read())

    async def handle_async_request(self, request: Any) -> Any:
        """Answer a request of an `AsyncClient`."""
        body = await request.aread()
        await self._checkpoint()
        return self._answer(request, body)

    def _answer(self, request: Any, body: bytes) -> Any:
        incoming = IncomingRequest(
            method=request.method,
            target=request.url.raw_path,
            http_version="1.1",
            body=body,
            keep_alive=True,
            headers=tuple(request.headers.raw),
        )
        limit_s = request.extensions.get("timeout", {}).get("read")
        with _as_errors_of(self._library, request):
            head, pieces = self._replay.answer(incoming, limit_s=limit_s)
        return self._library.Response(
            head.status,
            headers=head.headers,
            stream=self._stream(pieces, _as_errors_of(self._library, request), self._checkpoint),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": head.reason},
        )


class _Stream:
    """The body of an answer, for both kinds of clients."""

    def __init__(
        self,
        pieces: Iterator[bytes],
        as_errors: AbstractContextManager[None],
        checkpoint: Callable[[], Awaitable[None]],
    ) -> None:
        self._pieces = pieces
        self._as_errors = as_errors
        self._checkpoint = checkpoint

    def __iter__(self) -> Iterator[bytes]:
        with self._as_errors:
            yield from self._pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            await self._checkpoint()  # others run, and are cancelled, as they would be by a read
            yield piece


@contextmanager
def _as_errors_of(library: Any, request: Any) -> Iterator[None]:
    """Turn what goes wrong into what the library raises for it."""
    try:
        yield
    except TooSlow as error:
        raise library.ReadTimeout(str(error), request=request) from None
    except WasReset as error:
        raise library.ReadError(str(error), request=request) from None
    except BrokenOff as error:
        raise library.RemoteProtocolError(str(error), request=request) from None
