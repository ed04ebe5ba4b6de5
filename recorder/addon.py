"""The mitmproxy addon.

Usable as it is::

    mitmdump -s recorder/addon.py --set tape_out=session.tape

Each hook stamps first and works afterwards. Responses of what is recorded are streamed through
`LiveExchange.piece`, which writes every piece to the cassette before mitmproxy passes it on; mitmproxy's
own storing of bodies is not used, since it loses those of aborted streams.

What is known of a flow is kept beside it, not in its metadata, which mitmproxy saves with the flow (`-w`).
Its own log is mitmproxy's: mitmdump waits for whoever reads its output, where `tokentape record` does not.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from mitmproxy import connection, ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT

from tokentape import cassette
from tokentape.recorder import _connections, _flows, _options, report
from tokentape.recorder._commands import Commands
from tokentape.recorder._opening import begin_recording, refuse_existing
from tokentape.recorder._part import LiveExchange, Part
from tokentape.recorder._recording import Recording
from tokentape.recorder._view import Shown, mark

logger = logging.getLogger(__name__)

_TICK_S = 1.0


class TapeAddon:
    """Records what matches `tape_filter` to the cassette `tape_out`.

    `on_end` is called with each exchange that has ended, `say` with a line for each part that is begun and
    for each recording that has ended. `passed_over` counts the requests that were not recorded though a
    recording was under way, each once, whatever became of it. (A CONNECT is none: the requests that come
    through it are.) `unfinished` counts apart from these the requests that their clients gave up before
    mitmproxy had taken them up as a whole: they went nowhere.
    """

    def __init__(
        self,
        on_end: Callable[[LiveExchange], None] | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.recording: Recording | None = None
        self.passed_over = 0
        self.unfinished = 0
        self._ended: list[Recording] = []  # and not closed yet, or failed
        self._on_end = on_end or _log_end
        self._say = say or partial(logger.log, ALERT)
        self._settings = _options.Settings()
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        self._known: WeakKeyDictionary[http.HTTPFlow, _Pending | LiveExchange] = WeakKeyDictionary()
        self._used_servers: WeakSet[connection.Server] = WeakSet()  # those that have carried a response

    @property
    def failures(self) -> list[tuple[str, OSError]]:
        """Where a recording ended before its time, and why."""
        return [(parts.current.path, error) for parts in self._ended if (error := parts.loss.error)]

    def load(self, loader: Loader) -> None:
        """Declare the options and commands."""
        _options.declare(loader)
        Commands(self).declare(loader)

    def configure(self, updated: set[str]) -> None:
        """Check the options; change to another file while running."""
        settings = _options.settings(ctx.options)
        recorded_to = self.recording.path if self.recording else ""
        if "tape_out" in updated and settings.path != recorded_to:
            if self._running:
                self.go_on_with(self.begun(settings) if settings.path else None)
            else:
                refuse_existing(settings)
        if self.recording is not None:
            self.recording.limits = settings.limits
        self._settings = settings

    def running(self) -> None:
        """Begin the recording; not before, so that `mitmdump --options` makes no file."""
        self._running = True
        if self._settings.path and self.recording is None:
            try:
                self.go_on_with(self.begun(self._settings))
            except exceptions.OptionsError as error:
                logger.error(error)  # noqa: TRY400  (one line)
        self._tick()

    def go_on_with(self, begun: Recording | None) -> None:
        """End the recording, and go on with another if there is one."""
        self._close()
        self.recording = begun
        self.passed_over = self.unfinished = 0

    def begun(self, settings: _options.Settings, first: str | None = None) -> Recording:
        """Begin a recording as the settings say. Raises OptionsError."""
        for ended in self._ended:
            if settings.path == ended.path:
                ended.close()  # its lock is on the file until it is synced
        return begin_recording(settings, first=first, on_error=self._on_loss, say=self._say)

    def rotate(self) -> None:
        """Go on in the next part; where the recording has failed, record again, in the next part.

        Raises CommandError if there is no recording, or the next part cannot be begun.
        """
        if self.recording is None:
            raise exceptions.CommandError("nothing is being recorded; tape.start begins it")
        if self.recording.loss.error is not None:
            try:
                self.go_on_with(self.begun(self._settings, first=self.recording.next_path()))
            except exceptions.OptionsError as error:
                raise exceptions.CommandError(str(error)) from None
        elif not self.recording.rotate():
            raise exceptions.CommandError("the next part cannot be begun; the log says why")

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Note when the headers were there."""
        if self.recording is None:
            return
        pending = self._known[flow] = _Pending(time.monotonic_ns(), tuple(flow.request.headers.fields))
        if flow.request.stream:  # the user has it streamed, so mitmproxy will not have the body
            flow.request.stream = _both(pending.keep, flow.request.stream)

    def request(self, flow: http.HTTPFlow) -> None:
        """Take up the exchange, or leave it until the response is seen."""
        t_ns = time.monotonic_ns()
        pending = self._known.get(flow)
        if self.recording is None or not isinstance(pending, _Pending):
            return
        pending.end_ns = t_ns
        pending.complete = True
        if self._settings.matches(flow):
            self._begin(self.recording.part(), flow, pending)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Write status and headers, and stream the body past the cassette."""
        t_ns = time.monotonic_ns()
        known = self._known.get(flow)
        if self.recording is None or known is None or flow.response is None:
            return
        if isinstance(known, _Pending):
            if not self._settings.matches(flow):
                self._pass_over(flow)
                return
            if not known.complete:
                known.end_ns = t_ns
            known = self._begin(self.recording.part(), flow, known)
        _connections.watch_upstream(flow)
        connect = None
        if flow.server_conn not in self._used_servers and flow.server_conn.timestamp_start:
            self._used_servers.add(flow.server_conn)
            connect = _flows.connect_times(flow.server_conn, known.part)
        known.respond(_flows.response_record(flow, t=t_ns - known.part.start_ns, connect=connect))
        flow.response.stream = _both(known.piece, flow.response.stream)

    def response(self, flow: http.HTTPFlow) -> None:
        """End the exchange as complete."""
        exchange = self._known.get(flow)
        if isinstance(exchange, LiveExchange):
            if not exchange.chunks and flow.response and flow.response.raw_content:
                exchange.piece(flow.response.raw_content)  # an answer that another addon has made
            self._end(flow, exchange, *_flows.completion(flow), trailers=_flows.trailers(flow))
        else:
            self._pass_over(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """End the exchange as whichever side broke it off."""
        exchange = self._known.get(flow)
        if isinstance(exchange, LiveExchange):
            self._end(flow, exchange, *_flows.ending(flow))
        elif isinstance(exchange, _Pending) and not exchange.complete:
            del self._known[flow]
            self.unfinished += 1
        else:
            self._pass_over(flow)

    def done(self) -> None:
        """End the recording."""
        if ctx.master.should_exit.is_set():  # and the addon is not just being unloaded
            _connections.close_clients()
        if self._timer is not None:
            self._timer.cancel()
        self._close(wait=True)
        for ended in self._ended:
            ended.close()

    def _close(self, *, wait: bool = False) -> None:
        recording = self.recording
        if recording is None:
            return
        for flow, known in list(self._known.items()):
            if isinstance(known, _Pending):
                self._pass_over(flow)
        stopped = recording.live()
        # While the proxy runs, nobody waits for the disk.
        if wait:
            recording.close()
        else:
            recording.stop()
        for exchange in stopped:
            self._on_end(exchange)
        self._ended = [ended for ended in self._ended if ended.loss.error or not ended.finished]
        self._ended.append(recording)
        self._say(report.summary(recording, self.passed_over, self.unfinished))
        self._known.clear()
        self.recording = None

    def _tick(self) -> None:
        self._timer = ctx.master.event_loop.call_later(_TICK_S, self._tick)
        if self.recording is not None:
            self.recording.check_files()
            self.recording.part()  # the next one, if it is due

    def _on_loss(self) -> None:
        if self._settings.stop_on_error:
            ctx.master.shutdown()

    def _begin(self, part: Part, flow: http.HTTPFlow, pending: "_Pending") -> LiveExchange:
        _connections.watch_client(flow.client_conn)
        body = flow.request.raw_content
        if body is None:
            body = b"".join(pending.body)
        zero = part.start_ns
        exchange = self._known[flow] = part.begin(
            _flows.request_record(
                flow, t=pending.ns - zero, t_end=pending.end_ns - zero, body=body, came=pending.headers
            )
        )
        mark(flow, exchange)
        if not pending.complete:
            part.remark(exchange, "the answer began before the request was complete, whose rest is not here")
        return exchange

    def _pass_over(self, flow: http.HTTPFlow) -> None:
        self.passed_over += self._known.pop(flow, None) is not None

    def _end(
        self, flow: http.HTTPFlow, exchange: LiveExchange, reason: Any, detail: str = "", **more: Any
    ) -> None:
        del self._known[flow]
        _connections.unwatch_upstream(flow)
        if flow.response is not None and flow.response.stream:
            flow.response.stream = True  # a flow that mitmproxy keeps is not to keep the exchange
        if exchange.end_ns is None:
            exchange.end(reason, detail, **more)
            self._on_end(exchange)


class _Pending:
    """A request that is not, or not yet, recorded, and its times on the monotonic clock."""

    __slots__ = ("body", "complete", "end_ns", "headers", "ns")

    def __init__(self, ns: int, headers: cassette.Headers) -> None:
        self.ns = ns
        self.end_ns = ns
        self.complete = False
        self.headers = headers
        self.body: list[bytes] = []

    def keep(self, data: bytes) -> bytes:
        self.body.append(data)
        return data


def _both(
    first: Callable[[bytes], bytes], then: bool | Callable[[bytes], bytes | Iterable[bytes]]
) -> Callable[[bytes], bytes | Iterable[bytes]]:
    """Return a stream function that lets `first` see what comes before another addon's may change it."""
    if not callable(then):
        return first
    return lambda data: then(first(data))


def _log_end(exchange: LiveExchange) -> None:
    logger.info(report.ended(exchange))


class _ExitStatus:
    """Lets a mitmproxy of one's own exit with 1 if something went unrecorded."""

    def __init__(self, tape: TapeAddon) -> None:
        self._tape = tape

    def done(self) -> None:
        main = asyncio.current_task()
        if self._tape.failures and main is not None:
            main.add_done_callback(lambda _: sys.exit(1))


_tape = TapeAddon()
addons = [_tape, Shown(), _ExitStatus(_tape)]
