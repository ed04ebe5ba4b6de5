"""One request on its way to an API, and the answer on its way back: a connection for each.

What comes is written to the client in the turn of the event loop in which it came. While the client does not
read, nothing is read here, and the API's sending comes to a halt.

Invariant: `ended` of the client is called once, after the last bytes, unless the call was halted before.
"""

import asyncio
import html
import re
from collections.abc import Awaitable, Callable
from typing import Protocol, cast

from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Ending
from tokentape.replay.live._answer import LiveAnswer
from tokentape.replay.live._looking import Looking
from tokentape.replay.live._upstream import Upstream
from tokentape.replay.matching._request_key import RequestKey
from tokentape.replay.serving._requests import IncomingRequest


class Gone(Exception):
    """The API has ended the connection, or sent what is no answer, before there was one."""


class Over(Protocol):
    """Whoever is told that a call is over."""

    def __call__(
        self,
        key: RequestKey,
        outcome: str,
        failure: BaseException | None,
        *,
        whole: bool = False,
        given_up: Callable[[], bool] | None = None,
    ) -> str:
        """Take note, and return what to tell the client of a failure.

        `whole`: the answer came to its end. `given_up`: it did not, but it will be recorded, as this tells.
        """


class LiveCall(asyncio.Protocol):
    """A call, from the complete request on.

    `connect` makes this the protocol of a connection. With `is_recorded`, the end of an answer waits until
    that is true, but not for long. `answered` is told the status that the client gets, once. `over` is told
    the outcome, and of a failure returns what to tell the client.
    """

    stays = False  # it costs

    def __init__(
        self,
        request: IncomingRequest,
        key: RequestKey,
        *,
        connect: Callable[["LiveCall"], Awaitable[Upstream]],
        is_recorded: Callable[[], bool] | None,
        answered: Callable[[int], None],
        over: Over,
    ) -> None:
        self._request = request
        self._key = key
        self._connect = connect
        self._is_recorded = is_recorded
        self._answered = answered
        self._over = over
        self._closes = not request.keep_alive or request.http_version == "1.0"
        self._answer = LiveAnswer(
            to_head=request.method == "HEAD", http10=request.http_version == "1.0", close=self._closes
        )
        self._transport: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._looking: Looking | None = None
        self._held = False
        self._is_over = False
        self._refusal: bytes | None = None  # the recorder's own words, as far as they came

    # What the client's connection calls.

    def begin(self, write: Callable[[bytes], None], ended: Callable[[Ending], None]) -> None:
        """Ask, and give to `write` what comes; to `ended`, what becomes of the client's connection then."""
        self._write = write
        self._ended = ended
        self._task = asyncio.get_running_loop().create_task(self._ask())

    def hold(self) -> None:
        """Read nothing more: the client does not take it."""
        self._held = True
        if self._transport is not None:
            self._transport.pause_reading()

    def release(self) -> None:
        """Read on."""
        self._held = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def halt(self) -> None:
        """Hang up: the client has."""
        if not self._is_over:
            self._leave()
            will_be_recorded = self._answer.begun and self._refusal is None
            self._over(
                self._key,
                self._outcome("given up by the client"),
                None,
                given_up=self._is_recorded if will_be_recorded else None,
            )

    # What the connection to the API calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember the connection; one that comes too late is not wanted."""
        self._transport = cast("asyncio.Transport", transport)
        if self._is_over:
            self._transport.abort()
        elif self._held:
            self._transport.pause_reading()

    def data_received(self, data: bytes) -> None:
        """Pass on what came, at once."""
        if self._is_over or self._looking is not None:
            return
        begun = self._answer.begun
        out = self._answer.feed(data)
        if self._answer.begun and not begun and not self._refused():
            assert self._answer.status is not None  # noqa: S101  (it is known before anything is written)
            self._answered(self._answer.status)
        if self._refused():
            self._refusal = (self._refusal or b"") + out
        elif self._answer.complete and self._is_recorded is not None:
            self._end_when_recorded(out, self._is_recorded)
            return
        elif out:
            self._write(out)
        if self._answer.broken is not None:
            self._fail(Gone(f"expected HTTP/1.1 from it, found something else: {self._answer.broken}"))
        elif self._answer.complete:
            self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        """End the answer, if its end is that of the connection; else it was cut off."""
        if self._is_over or self._looking is not None:
            return
        if exc is None:
            out = self._answer.end()
            if self._answer.complete and self._is_recorded is not None and not self._refused():
                self._end_when_recorded(out, self._is_recorded)
                return
            if out and not self._refused():
                self._write(out)
        if self._answer.complete:
            self._end()
        else:
            self._fail(Gone(f"it ended the connection before its answer{f' ({exc})' if exc else ''}"))

    async def _ask(self) -> None:
        try:
            upstream = await self._connect(self)
            transport = self._transport
            if transport is not None and not self._is_over:
                transport.write(upstream.request(self._request, self._key))
        except Exception as error:  # noqa: BLE001  (whatever it is, the client is told)
            self._fail(error)

    def _refused(self) -> bool:
        """Whether these are the recorder's own words: it could not reach the API."""
        if self._is_recorded is None or self._answer.status != 502:
            return False
        return any(
            name.lower() == b"server" and value.startswith(b"mitmproxy")
            for name, value in self._answer.fields
        )

    def _end_when_recorded(self, out: bytes, is_recorded: Callable[[], bool]) -> None:
        def end(was_recorded: bool) -> None:
            if out:
                self._write(out)
            self._end("" if was_recorded else "not recorded")

        self._looking = Looking(is_recorded, end)
        self._looking.begin()

    def _end(self, but: str = "") -> None:
        if self._refusal is not None:
            self._fail(Gone(_words_of(self._refusal)))
            return
        self._leave()
        self._over(self._key, self._outcome(but), None, whole=True)
        self._ended("close" if self._answer.closes else "open")

    def _fail(self, error: BaseException) -> None:
        """End the call without the end of an answer, or without any."""
        if self._is_over:
            return
        self._leave()
        if self._answer.begun and self._refusal is None:
            self._over(self._key, self._outcome("cut off before its end"), None)
            self._ended("close")
            return
        words = self._over(self._key, "", error)
        self._answered(502)
        has_body = self._request.method != "HEAD"
        self._write(
            error_response(
                502, words, kind="upstream_error", code="not_answered", with_body=has_body, close=self._closes
            )
        )
        self._ended("close" if self._closes else "open")

    def _leave(self) -> None:
        self._is_over = True
        if self._looking is not None:
            self._looking.stop()
        if self._task is not None:
            self._task.cancel()  # while it connects; after that it is done
        if self._transport is not None:
            self._transport.abort()

    def _outcome(self, but: str = "") -> str:
        status = "no answer" if self._answer.status is None else str(self._answer.status)
        return f"{status}, {but}" if but else status


def _words_of(answer: bytes) -> str:
    """Return what mitmproxy says in its page for an error."""
    found = re.search(rb"<p>(.*?)</p>", answer, re.DOTALL)
    return html.unescape(found[1].decode("utf-8", "replace")) if found else "the recorder could not reach it"
