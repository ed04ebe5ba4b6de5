"""What mitmproxy's connections know of an ending and its flows do not say.

A flow's error says little of whose fault it was, and three endings look like others in it:

- a stream that the upstream resets in HTTP/2 reads "reset by client", as one that the client resets does;
- when nothing has come for so long that mitmproxy gives up, the client seems to have left;
- a body that only the end of its connection ends seems complete also when the upstream resets that.

The connection that a flow belongs to can tell. Where it is not found (a flow that is played back has none),
the flow's word is taken.
"""

import asyncio
from weakref import WeakKeyDictionary

from mitmproxy import connection, ctx, http
from mitmproxy.net.http import http1
from mitmproxy.proxy.layers.http import HttpLayer, HttpStream
from mitmproxy.proxy.server import ConnectionHandler

from tokentape import cassette

_watched: WeakKeyDictionary[connection.Client, tuple[cassette.EndReason, str] | None] = WeakKeyDictionary()
_readers: WeakKeyDictionary[http.HTTPFlow, asyncio.StreamReader] = WeakKeyDictionary()


def watch_client(client: connection.Client) -> None:
    """Note it when mitmproxy gives up this client's connections for their silence."""
    handler = _handler_of(client)
    if handler is None or client in _watched:
        return
    _watched[client] = None
    watchdog = handler.timeout_watchdog
    give_up = watchdog.callback

    async def note_and_give_up() -> None:
        # A client that does not read is what stops all that would come from the upstream.
        if _unsent_bytes(handler, client):
            _watched[client] = "client-closed", f"timed out: the client took nothing for {watchdog.timeout} s"
        else:
            _watched[client] = (
                "upstream-error",
                f"timed out: the upstream sent nothing for {watchdog.timeout} s",
            )
        await give_up()

    watchdog.callback = note_and_give_up


def timed_out(client: connection.Client) -> tuple[cassette.EndReason, str] | None:
    """Return whose silence it was if mitmproxy gave up the connections of a watched client."""
    return _watched.get(client)


def watch_upstream(flow: http.HTTPFlow) -> None:
    """Keep hold of the connection that a response comes from, which is closed before its end is told."""
    handler = _handler_of(flow.client_conn)
    io = handler.transports.get(flow.server_conn) if handler else None
    if io is not None and isinstance(io.reader, asyncio.StreamReader):
        _readers[flow] = io.reader


def unwatch_upstream(flow: http.HTTPFlow) -> None:
    """Let go of the connection of a flow that has ended: the flow may be kept for long."""
    _readers.pop(flow, None)


def broken_off(flow: http.HTTPFlow) -> str | None:
    """Return what the system says of the upstream's connection, if its failure passes for the body's end."""
    reader = _readers.get(flow)
    failure = reader.exception() if reader else None
    if failure is None or flow.response is None:
        return None
    try:
        ends_with_connection = http1.expected_http_body_size(flow.request, flow.response) == -1
    except ValueError:
        return None
    return str(failure) if ends_with_connection else None


def upstream_reset_stream(flow: http.HTTPFlow) -> bool:
    """Return whether a stream that is "reset by client" was in truth reset by the upstream.

    mitmproxy lets a client that has failed send no more before it tells of it, and an upstream only after.
    """
    if not flow.request.is_http2:
        return True  # a client without streams cannot reset one
    handler = _handler_of(flow.client_conn)
    stream = _stream_of(flow, handler) if handler else None
    return stream is not None and stream.client_state != stream.state_errored


def close_clients() -> None:
    """Let no client have anything more than it was sent so far.

    When mitmproxy ends, pieces would still pass for a moment after the recording has been closed.
    """
    proxyserver = ctx.master.addons.get("proxyserver")
    for handler in list(proxyserver.connections.values()) if proxyserver else ():
        io = handler.transports.get(handler.client)
        if io is not None and io.writer is not None:
            io.writer.close()


def _handler_of(client: connection.Client) -> ConnectionHandler | None:
    proxyserver = ctx.master.addons.get("proxyserver")
    found: ConnectionHandler | None = proxyserver.connections.get(client.id) if proxyserver else None
    return found


def _unsent_bytes(handler: ConnectionHandler, client: connection.Client) -> int:
    io = handler.transports.get(client)
    transport = getattr(io.writer, "transport", None) if io else None
    return int(transport.get_write_buffer_size()) if transport is not None else 0


def _stream_of(flow: http.HTTPFlow, handler: ConnectionHandler) -> HttpStream | None:
    """Return what moves a flow: in a tunnel, a stream's layers have streams of their own."""
    seen: set[int] = set()
    layers = list(handler.layer.context.layers)
    while layers:
        layer = layers.pop()
        if id(layer) in seen:
            continue
        seen.add(id(layer))
        if isinstance(layer, HttpLayer):
            layers += layer.streams.values()
        elif isinstance(layer, HttpStream):
            if getattr(layer, "flow", None) is flow:
                return layer
            if layer.child_layer is not None:
                layers += layer.child_layer.context.layers
    return None
