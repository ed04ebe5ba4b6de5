"""Shows recorded answers inside mitmproxy, in its console and in mitmweb: as text, with times.

Recorded answers are streamed, and mitmproxy keeps no body of what it streams; for a flow without one it
shows "content missing" and asks no content view. So three things together:

- Each recorded flow is marked with the place of its request in the cassette: a path and a number of bytes,
  which hold as long as the file does, whatever is recorded to meanwhile. `tape.show @focus` opens the whole
  exchange from there, at any time.
- Where there is somebody to look (mitmproxy has its `view` addon), the bodies of the latest answers are
  given to their flows when they end, as far as `tape_show_mib` goes. The oldest are taken back: memory
  stays flat over a week. `tape.body @focus` brings back an older one from the cassette.
- The content view `tokentape` is what mitmproxy chooses for such a flow. It knows the times since it reads
  the exchange back from the cassette.

The invariant: what is shown is what is in the cassette, or nothing. The place of a request is only believed
if the request there came over the flow's own connection; and nothing is read while answers pass, only when
somebody looks, and then no more than `_MOST_READ`, for the proxy waits meanwhile.
"""

import os
from collections.abc import Sequence
from typing import Any

from mitmproxy import contentviews, ctx, exceptions, flow, hooks, http
from mitmproxy.addonmanager import Loader
from mitmproxy.utils import strutils

from tokentape import cassette
from tokentape.dialects import readable
from tokentape.recorder._bodies import DEFAULT_MIB, Bodies
from tokentape.recorder._part import LiveExchange

_KEY = "tokentape.recorded"
_MOST_READ = 8 << 20  # read in less than a tenth of a second, all of it others' streams
_MOST_READ_BY_COMMAND = 256 << 20
_STREAMS = ("text/event-stream", "application/x-ndjson")


def mark(of: http.HTTPFlow, exchange: LiveExchange) -> None:
    """Mark a flow with the place at which its request was written; `Shown` needs it."""
    # Plain values, since mitmproxy saves a flow's metadata with it.
    of.metadata[_KEY] = {"path": os.path.abspath(exchange.part.path), "offset": exchange.offset}


def recorded(of: flow.Flow, *, max_bytes: int = _MOST_READ) -> tuple[cassette.Exchange, str]:
    """Return the exchange of a flow as the cassette has it, and what is left out of it, if anything.

    Raises ValueError, with what to do, if the flow was not recorded, or its exchange is not there any more.
    """
    place = of.metadata.get(_KEY)
    if not isinstance(place, dict):
        raise ValueError("this flow was not recorded")  # noqa: TRY004  (it is not a programmer's error)
    path, offset = place["path"], place["offset"]
    try:
        exchange, whole = cassette.exchange_at(path, offset, max_bytes=max_bytes)
    except cassette.CassetteError as error:
        raise ValueError(f"the recording of this flow cannot be read: {error}") from None
    if exchange.request is None or exchange.request.connection != of.client_conn.id:
        raise ValueError(f"{path} has been replaced by another recording")
    if whole:
        return exchange, ""
    return exchange, f"not all of it: tokentape cat {path} --exchange {exchange.number} shows the rest"


def text_of(of: flow.Flow, *, with_request: bool, max_bytes: int = _MOST_READ) -> str:
    """Return the exchange of a flow as text with times. Raises ValueError as `recorded` does."""
    exchange, left_out = recorded(of, max_bytes=max_bytes)
    lines = list(readable(exchange, with_request=with_request))
    return "\n".join([*lines, *([left_out] if left_out else [])])


class Shown:
    """The addon beside the recorder: content view, commands, and the bodies of the latest answers."""

    def __init__(self) -> None:
        self._bodies = Bodies()

    def load(self, loader: Loader) -> None:
        """Declare option and commands, and add the view."""
        loader.add_option(
            "tape_show_mib",
            int,
            DEFAULT_MIB,
            "Keep the bodies of the latest recorded answers in memory, so many MiB of them, for mitmproxy "
            "to show. tape.body brings back others. 0 keeps none.",
        )
        loader.add_command("tape.show", self.show)
        loader.add_command("tape.body", self.body)
        _add_view()

    def configure(self, updated: set[str]) -> None:
        """Keep as much as is wanted now."""
        if "tape_show_mib" in updated:
            if ctx.options.tape_show_mib < 0:
                raise exceptions.OptionsError("tape_show_mib: expected 0 or more")
            self._bodies.limit(ctx.options.tape_show_mib << 20)

    def show(self, of: flow.Flow) -> Sequence[str]:
        """Show what the cassette has of a flow: request, answer with times, how it ended."""
        try:
            text = text_of(of, with_request=True, max_bytes=_MOST_READ_BY_COMMAND)
            return strutils.escape_control_characters(text).split("\n")  # as mitmproxy does with views
        except ValueError as error:
            raise exceptions.CommandError(str(error)) from None

    def body(self, flows: Sequence[flow.Flow]) -> None:
        """Give recorded flows back the bodies of their answers, out of the cassette."""
        changed: list[flow.Flow] = []
        for of in flows:
            try:
                exchange, left_out = recorded(of, max_bytes=_MOST_READ_BY_COMMAND)
            except ValueError as error:
                raise exceptions.CommandError(str(error)) from None
            if left_out or exchange.end is None:
                raise exceptions.CommandError(left_out or "the answer is still under way")
            if isinstance(of, http.HTTPFlow) and of.response is not None and of.response.raw_content is None:
                self._bodies.give(of, exchange.body)
                changed.append(of)
        ctx.master.addons.trigger(hooks.UpdateHook(changed))

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Keep the pieces of a recorded answer as they pass, if there is somebody to show them to."""
        if _KEY not in flow.metadata or ctx.master.addons.get("view") is None:
            return
        if flow.response is not None and callable(flow.response.stream):
            flow.response.stream = self._bodies.keeping(flow, flow.response.stream)

    def response(self, flow: http.HTTPFlow) -> None:
        """Give the flow the body of its answer."""
        self._bodies.ended(flow)

    def error(self, flow: http.HTTPFlow) -> None:
        """Give the flow as much of the body as came."""
        self._bodies.ended(flow)

    def done(self) -> None:
        """Take the view away, so that an addon that is loaded again can add its own."""
        _remove_view()


_NAME = "tokentape"
_PRIORITY = 2.0  # mitmproxy's own views say 1 at most


def _priority(of: flow.Flow | None, message: http.Message | None, content_type: str | None) -> float:
    """Return how well the view suits a message: best for the streamed answer of a recorded flow."""
    suits = (
        isinstance(of, http.HTTPFlow)
        and message is not None
        and message is of.response
        and _KEY in of.metadata
        and content_type in _STREAMS
    )
    return _PRIORITY if suits else -1


def _text_for_view(of: flow.Flow | None, message: http.Message | None) -> str:
    if not isinstance(of, http.HTTPFlow) or message is not of.response:
        raise ValueError("expected the answer of a recorded flow")
    return text_of(of, with_request=False)


class _View:
    """The view as mitmproxy 12 has them: its `Contentview` is a protocol, which 11 does not have."""

    name = _NAME
    syntax_highlight = "none"

    def prettify(self, data: bytes, metadata: Any) -> str:  # noqa: ARG002
        return _text_for_view(metadata.flow, metadata.http_message)

    def render_priority(self, data: bytes, metadata: Any) -> float:  # noqa: ARG002
        return _priority(metadata.flow, metadata.http_message, metadata.content_type)

    def __lt__(self, other: Any) -> bool:
        return str(self.name) < str(other.name)


class _LegacyView(contentviews.View):
    """The same as mitmproxy 11 has them."""

    name = _NAME

    def __call__(self, data: bytes, **metadata: Any) -> Any:  # noqa: ARG002
        text = _text_for_view(metadata.get("flow"), metadata.get("http_message"))
        return _NAME, iter([[("text", line)] for line in text.split("\n")])

    def render_priority(self, data: bytes, **metadata: Any) -> float:  # noqa: ARG002
        return _priority(metadata.get("flow"), metadata.get("http_message"), metadata.get("content_type"))


def _add_view() -> None:
    view: Any = _View() if hasattr(contentviews, "Contentview") else _LegacyView()
    contentviews.add(view)


def _remove_view() -> None:
    """Take the view away, where one that is added again would be refused; mitmproxy 12 replaces it."""
    if not hasattr(contentviews, "Contentview") and (found := contentviews.get(_NAME)) is not None:
        contentviews.remove(found)
