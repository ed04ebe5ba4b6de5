"""What is not recorded is asked of the API itself, and perhaps recorded by the way.

A request goes to the API, or to a recorder in front of it, which is started for the first of them. Its answer
goes to the client read by read, as it comes, and no faster than the client takes it; who hangs up is
hung up on. A call that fails before it is answered becomes a 502 that says why, and is said on stderr.

Invariant: what is recorded was appended to the cassette, and has its turn among the answers to the same
request, before the client has the end of the answer; unless the recorder takes more than 5 s for that. Who
hangs up before the end (many clients take the last event for it) and asks again waits as long.
Of equal requests that are asked at once as many were appended as clients have an end; which, nobody can tell.
"""

import asyncio
import logging
import socket
import ssl
from asyncio import to_thread
from collections.abc import Callable, Iterable
from contextlib import suppress
from os import environ, fspath
from typing import TYPE_CHECKING, Any

from tokentape.cassette import CassetteError, counted
from tokentape.replay._errors import CannotListen, ReplayError
from tokentape.replay._load import Recorded
from tokentape.replay._reply import Reply
from tokentape.replay._stats import Live
from tokentape.replay.live._appended import Appended
from tokentape.replay.live._call import Gone, LiveCall
from tokentape.replay.live._looking import AfterGivenUp, GivenUp
from tokentape.replay.live._on_miss import OnMiss
from tokentape.replay.live._own_address import is_at
from tokentape.replay.live._recorder_process import CannotRecord, RecorderProcess
from tokentape.replay.live._upstream import Upstream
from tokentape.replay.matching._matcher import Code
from tokentape.replay.matching._matching import Matching
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._requests import IncomingRequest
from tokentape.replay.timing._timing import Timing

if TYPE_CHECKING:
    from tokentape.replay.control._access import Access

_CONNECT_S = 30.0
_log = logging.getLogger("tokentape.replay")


class Asking:
    """Asks live. Its methods belong to one event loop; `stats` may be read from any thread."""

    def __init__(self, on_miss: OnMiss, *, timing: Timing) -> None:
        self._upstream = Upstream.of(on_miss.url)
        is_direct = on_miss.how == "forward" and self._upstream.scheme == "https"
        self._context = _context() if is_direct else None
        self._forwarded = 0
        self._failed = 0
        self._recorded = 0
        self._whole_ever = self._recorded_ever = 0  # `reset` does not make good what was lost
        self._lost: str | None = None
        self._said: set[str] = set()
        self._given_up: list[GivenUp] = []
        self._records_all = on_miss.records_all
        self._recorder: RecorderProcess | None = None
        self._appended: Appended | None = None
        self._starting: asyncio.Task[Upstream] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._own: frozenset[tuple[str, int]] = frozenset()
        self.access: Access | None = None
        """Whose requests are taken; None for all, as where no port is open."""
        if on_miss.how == "record":
            assert on_miss.output is not None  # noqa: S101  (see `OnMiss.check`)
            path = fspath(on_miss.output)
            options = ["--append", "--on-write-error", "stop", *_trusted(), *on_miss.recorder]
            self._recorder = RecorderProcess(on_miss.url, path, options, says=True)
            self._appended = Appended(path, timing=timing)

    @property
    def stats(self) -> Live:
        """What was asked so far."""
        failure = self._recorder.failure if self._recorder else None
        return Live(
            forwarded=self._forwarded,
            recorded=self._recorded,
            failed=self._failed,
            recorder_failure=self._lost if failure is None else str(failure),
        )

    def reset(self) -> None:
        """Count from 0 again. What the recorder has failed at stays failed."""
        self._forwarded = self._failed = self._recorded = 0

    def check_not_at(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Raise `CannotListen` if the API's address is one of these: every request would come back.

        What its name does not tell is seen when it is asked for the first time.
        """
        self._own = frozenset(addresses)
        if any(
            self._upstream.port == port and is_at(self._upstream.host, bound) for bound, port in self._own
        ):
            raise CannotListen(self._itself())

    def takes(self, code: Code, matching: Matching) -> bool:
        """Whether to ask for what was missed for this reason.

        What came out of turn was recorded: its 404 is to be seen. What would be recorded out of turn would
        be missed again.
        """
        in_the_middle = code == "not_recorded" and matching.order == "recorded"
        return code != "out_of_order" and not (in_the_middle and self._recorder is not None)

    def refuses(self, request: IncomingRequest) -> str | None:
        """Return why nothing is asked for a request, in a line; None if it may be asked."""
        return self.access.why_not_ask(request) if self.access else None

    def ask(
        self,
        request: IncomingRequest,
        key: RequestKey,
        *,
        is_recorded: Callable[[], bool],
        answered: Callable[[int], None],
    ) -> Reply:
        """Return a reply that is still to come. `is_recorded`: whether its exchange is learned by now.

        `answered` is told the status that the client gets, as soon as it is known.
        """
        self._forwarded += 1
        return Reply(
            live=LiveCall(
                request,
                key,
                connect=self._connected,
                is_recorded=is_recorded if self._recorder else None,
                answered=answered,
                over=self._over,
            )
        )

    def after_given_up(self, is_same: Callable[[RequestKey], bool]) -> AfterGivenUp | None:
        """Return what to wait for before the same is asked: that what a client gave up is recorded.

        When it has ended, the request may be recorded, or this returns None for it.
        """
        found = next((each for each in self._given_up if is_same(each.key)), None)
        if found is None or (self._recorder is not None and self._recorder.failure is not None):
            return None
        if found.is_over():
            self._given_up.remove(found)
        return AfterGivenUp(found)

    def appended(self) -> list[Recorded]:
        """Return what was recorded since the last call. Reads what the recorder has written, no more."""
        if self._appended is None or self._starting is None or not self._starting.done():
            return []
        try:
            found = self._appended.poll()
        except CassetteError as error:
            self._say_once(f"what was recorded cannot be read: {error}")
            return []
        self._recorded += len(found)
        self._recorded_ever += len(found)
        return found

    async def stop(self) -> None:
        """End the recorder, and wait until it has written all. To be called when no call is on its way."""
        if self._recorder is not None and self._starting is not None:
            if self._stopping is None:
                self._stopping = asyncio.create_task(to_thread(self._recorder.stop))
            await asyncio.shield(self._stopping)
            await asyncio.wait([self._starting])

    def close(self) -> None:
        """Close what is followed. If less was recorded than came to its end, `stats` says so from now on."""
        if self._appended is None:
            return
        self._appended.close()
        if self._records_all and self._recorded_ever < self._whole_ever:
            answers = counted(self._whole_ever, "answer")
            self._lost = f"expected {answers} in {self._appended.path}, found {self._recorded_ever}"

    async def _connected(self, call: LiveCall) -> Upstream:
        """Connect a call, and return what its request has to be made for."""
        to = self._upstream
        context = self._context
        if self._recorder is not None:
            if self._starting is None:
                self._starting = asyncio.create_task(self._start(self._recorder))
            to, context = await asyncio.shield(self._starting), None
            if self._recorder.failure is not None:
                raise self._recorder.failure
        async with asyncio.timeout(_CONNECT_S):
            transport, _ = await asyncio.get_running_loop().create_connection(
                lambda: call,
                to.host,
                to.port,
                ssl=context,
                server_hostname=to.host if context else None,
                happy_eyeballs_delay=0.25,
            )
        peer, port = (transport.get_extra_info("peername") or ("", 0))[:2]  # none if it is gone again
        if any(port == own and is_at(peer, bound) for bound, own in self._own):
            transport.abort()
            raise ReplayError(self._itself())
        return to

    async def _check_not_by_name(self) -> None:
        """Raise `ReplayError` if the API's name leads here: what the recorder asks for would come back."""
        found: list[tuple[Any, ...]] = []
        with suppress(OSError):  # a name that nobody knows is for the recorder to report
            found = await asyncio.get_running_loop().getaddrinfo(
                self._upstream.host, self._upstream.port, type=socket.SOCK_STREAM
            )
        for *_, (address, port, *_) in found:
            if any(port == own and is_at(address, bound) for bound, own in self._own):
                raise ReplayError(self._itself())

    def _itself(self) -> str:
        return f"expected the URL of an API to ask, found this server's own: {self._upstream.url}"

    async def _start(self, recorder: RecorderProcess) -> Upstream:
        assert self._appended is not None  # noqa: S101  (it is made with the recorder)
        try:
            await to_thread(self._appended.skip)
            await self._check_not_by_name()
            return Upstream.of(await to_thread(recorder.start))
        except CassetteError as error:
            recorder.failure = CannotRecord(f"cannot append to {error}")
            raise recorder.failure from None

    def _over(
        self,
        key: RequestKey,
        outcome: str,
        failure: BaseException | None,
        *,
        whole: bool = False,
        given_up: Callable[[], bool] | None = None,
    ) -> str:
        """Take note of a call that is over, and return the words for the client of one that failed."""
        self._whole_ever += whole
        if given_up is not None:
            self._given_up = [each for each in self._given_up if not each.is_over()]
            self._given_up.append(GivenUp(key, given_up))
        if failure is None:
            _log.warning("asked live: %s -> %s", key, outcome)
            return ""
        self._failed += 1
        words = printable(_why(failure))
        if not isinstance(failure, ReplayError):
            words = f"{self._upstream.url} did not answer: {words}"
        self._say_once(words)
        return words

    def _say_once(self, words: str) -> None:
        if words not in self._said:
            self._said.add(words)
            _log.error("%s", words)


def _context() -> ssl.SSLContext:
    found = ssl.create_default_context()
    found.set_alpn_protocols(["http/1.1"])
    return found


def _trusted() -> list[str]:
    """Return options that have the recorder trust whom we trust, where the environment says who that is."""
    path = environ.get("SSL_CERT_FILE")
    return ["--set", f"ssl_verify_upstream_trusted_ca={path}"] if path else []


def _why(error: BaseException) -> str:
    """Return the reason of a failure in a few words."""
    match error:
        case ReplayError() | Gone():
            return str(error)
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case TimeoutError():
            return error.strerror or f"no connection within {_CONNECT_S:.0f} s"
        case OSError():
            return error.strerror or str(error) or type(error).__name__
        case _:
            return str(error) or type(error).__name__
