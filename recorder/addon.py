"""The mitmproxy addon.

Usable as it is::

    mitmdump -s recorder/addon.py --set tape_out=session.tape

Each hook stamps first and works afterwards. Responses of what is recorded are streamed through
`LiveExchange.piece`, which writes every piece to the cassette before mitmproxy passes it on; mitmproxy's
own storing of bodies is not used, since it loses those of aborted streams.
"""

import logging
import os
from collections.abc import Callable, Iterable
from typing import Any

from mitmproxy import ctx, exceptions, flowfilter, http
from mitmproxy import version as mitmproxy_version
from mitmproxy.addonmanager import Loader
from mitmproxy.log import ALERT
from mitmproxy.proxy.server_hooks import ServerConnectionHookData

from tokentape.recorder import _flows, report
from tokentape.recorder._recording import LiveExchange, Recording
from tokentape.recorder.redaction import Redactor, Rules, RulesError, default_rules, load_rules

logger = logging.getLogger(__name__)

DEFAULT_FILTER = (
    "(~m POST & ~u '/(chat/completions|completions?|responses|messages|chat|generate)([?]|$)"
    "|:(stream)?generateContent')"
    " | ~ts 'text/event-stream|application/x-ndjson'"
)
"""Calls of language models by the paths of their APIs, and whatever answers with a stream of events."""

_KEY = "tokentape"


class TapeAddon:
    """Records what matches `tape_filter` to the cassette `tape_out`.

    `on_end` is called with each exchange that has ended; `passed_over` counts those that did not match.
    """

    def __init__(self, on_end: Callable[[LiveExchange], None] | None = None) -> None:
        self.recording: Recording | None = None
        self.passed_over = 0
        self._on_end = on_end or _log_end
        self._running = False
        self._redactor = Redactor()
        self._matches = flowfilter.parse(DEFAULT_FILTER)
        self._used_servers: set[str] = set()  # connections that have carried a response, while open

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("tape_out", str, "", "Record to this cassette. Nothing is recorded without it.")
        loader.add_option("tape_overwrite", bool, False, "Replace the file `tape_out` if it exists.")
        loader.add_option(
            "tape_filter", str, DEFAULT_FILTER, "Record what matches this filter expression, and no more."
        )
        loader.add_option("tape_redact", bool, True, "Replace secrets before anything is written.")
        loader.add_option("tape_redact_rules", str, "", "A TOML file of more rules for what is a secret.")

    def configure(self, updated: set[str]) -> None:
        """Check the options; change to another file while running."""
        if updated & {"tape_redact", "tape_redact_rules"}:
            self._redactor = _redactor(redact=ctx.options.tape_redact, rules=ctx.options.tape_redact_rules)
        if "tape_filter" in updated:
            try:
                self._matches = flowfilter.parse(ctx.options.tape_filter)
            except ValueError as error:
                raise exceptions.OptionsError(f"tape_filter: {error}") from None
        if "tape_out" in updated:
            path = os.path.expanduser(ctx.options.tape_out)
            if path and os.path.exists(path) and not ctx.options.tape_overwrite:
                raise exceptions.OptionsError(
                    f"tape_out: {path} exists; choose another name, or --set tape_overwrite=true"
                )
            if self._running:
                self._close()
                self._open()

    def running(self) -> None:
        """Begin the recording; not before, so that `mitmdump --options` makes no file."""
        self._running = True
        self._open()

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        """Note when the headers were there."""
        if self.recording is None:
            return
        pending = _Pending(self.recording.now())
        flow.metadata[_KEY] = pending
        if flow.request.stream:  # the user has it streamed, so mitmproxy will not have the body
            flow.request.stream = _both(pending.keep, flow.request.stream)

    def request(self, flow: http.HTTPFlow) -> None:
        """Take up the exchange, or leave it until the response is seen."""
        pending = flow.metadata.get(_KEY)
        if self.recording is None or not isinstance(pending, _Pending):
            return
        pending.t_end = self.recording.now()
        if self._matches(flow):
            self._begin(self.recording, flow, pending)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Write status and headers, and stream the body past the cassette."""
        known = flow.metadata.get(_KEY)
        if self.recording is None or known is None or flow.response is None:
            return
        t = self.recording.now()
        if isinstance(known, _Pending):
            if not self._matches(flow):
                del flow.metadata[_KEY]
                self.passed_over += 1
                return
            known = self._begin(self.recording, flow, known)
        connect = None
        if flow.server_conn.id not in self._used_servers and flow.server_conn.timestamp_start:
            self._used_servers.add(flow.server_conn.id)
            connect = _flows.connect_times(flow.server_conn, self.recording)
        known.respond(_flows.response_record(flow, t=t, connect=connect))
        flow.response.stream = _both(known.piece, flow.response.stream)

    def response(self, flow: http.HTTPFlow) -> None:
        """End the exchange as complete."""
        exchange = flow.metadata.pop(_KEY, None)
        if isinstance(exchange, LiveExchange):
            if not exchange.chunks and flow.response and flow.response.raw_content:
                exchange.piece(flow.response.raw_content)  # an answer that another addon has made
            self._end(exchange, "complete", trailers=_flows.trailers(flow))

    def error(self, flow: http.HTTPFlow) -> None:
        """End the exchange as whichever side broke it off."""
        exchange = flow.metadata.pop(_KEY, None)
        if isinstance(exchange, LiveExchange):
            self._end(exchange, *_flows.ending(flow))

    def server_disconnected(self, data: ServerConnectionHookData) -> None:
        """Forget a connection to the upstream."""
        self._used_servers.discard(data.server.id)

    def done(self) -> None:
        """End the recording."""
        self._close()

    def _open(self) -> None:
        if not ctx.options.tape_out:
            return
        path = os.path.expanduser(ctx.options.tape_out)
        try:
            self.recording = Recording(
                path,
                proxy=f"mitmproxy {mitmproxy_version.VERSION}",
                overwrite=ctx.options.tape_overwrite,
                redactor=self._redactor,
            )
        except OSError as error:
            logger.error("cannot record to %s: %s", path, error.strerror)  # noqa: TRY400  (one line)
            return
        if not ctx.options.tape_redact:
            logger.warning("NOTHING IS REDACTED: API keys, cookies and all other secrets go to %s", path)

    def _close(self) -> None:
        if self.recording is not None:
            stopped = list(self.recording.live.values())
            self.recording.close()
            for exchange in stopped:
                self._on_end(exchange)
            logger.log(ALERT, report.summary(self.recording, self.passed_over))

    def _begin(self, recording: Recording, flow: http.HTTPFlow, pending: "_Pending") -> LiveExchange:
        body = flow.request.raw_content
        if body is None:
            body = b"".join(pending.body)
        exchange = recording.begin(_flows.request_record(flow, t=pending.t, t_end=pending.t_end, body=body))
        flow.metadata[_KEY] = exchange
        return exchange

    def _end(self, exchange: LiveExchange, reason: Any, detail: str = "", **more: Any) -> None:
        if exchange.end_ns is None:
            exchange.end(reason, detail, **more)
            self._on_end(exchange)


def _redactor(*, redact: bool, rules: str) -> Redactor:
    if not redact:
        return Redactor(Rules())
    try:
        return Redactor(load_rules(os.path.expanduser(rules)) + default_rules() if rules else None)
    except RulesError as error:
        raise exceptions.OptionsError(f"tape_redact_rules: {error}") from None
    except OSError as error:
        raise exceptions.OptionsError(f"tape_redact_rules: {rules}: {error.strerror}") from None


class _Pending:
    """A request that is not, or not yet, recorded."""

    __slots__ = ("body", "t", "t_end")

    def __init__(self, t: int) -> None:
        self.t = t
        self.t_end = t
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


addons = [TapeAddon()]
