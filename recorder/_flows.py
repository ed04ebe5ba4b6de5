"""From mitmproxy's flows to the records of a cassette. Everything here is a plain translation.

Where a flow does not tell how it ended, its connections do.
"""

from mitmproxy import connection, http

from tokentape import cassette
from tokentape.recorder import _connections
from tokentape.recorder._part import Part


def request_record(
    flow: http.HTTPFlow, *, t: int, t_end: int, body: bytes, came: cassette.Headers
) -> cassette.Request:
    """Return the request of a flow; `t` and `t_end` are ns since the section's start.

    `came` are the headers before mitmproxy answered and removed an `Expect: 100-continue`.
    """
    request = flow.request
    return cassette.Request(
        exchange=0,
        t=t,
        t_end=t_end,
        method=request.method,
        scheme=request.scheme,
        host=request.host,
        port=request.port,
        path=request.data.path,
        http_version=request.http_version,
        headers=came if _without_expect(came) == request.headers.fields else tuple(request.headers.fields),
        body=body,
        connection=flow.client_conn.id,
    )


def response_record(flow: http.HTTPFlow, *, t: int, connect: cassette.Connect | None) -> cassette.Response:
    """Return status and headers of a flow's response."""
    response = flow.response
    assert response is not None  # noqa: S101  (mitmproxy calls its response hooks with one)
    return cassette.Response(
        exchange=0,
        t=t,
        status=response.status_code,
        reason=response.data.reason,
        http_version=response.http_version,
        headers=tuple(response.headers.fields),
        connect=connect,
    )


def _without_expect(headers: cassette.Headers) -> cassette.Headers:
    return tuple(field for field in headers if field[0].lower() != b"expect")


def connect_times(server: connection.Server, part: Part) -> cassette.Connect:
    """Return when the steps of opening a connection to the upstream were done, on the section's clock.

    mitmproxy stamps them with the wall clock, so they are as good as its agreement with the monotonic
    clock since the section began.
    """

    def at(unix_s: float | None) -> int | None:
        return None if unix_s is None else part.of_wall(unix_s)

    return cassette.Connect(
        tcp_start=at(server.timestamp_start),
        tcp_end=at(server.timestamp_tcp_setup),
        tls_end=at(server.timestamp_tls_setup),
    )


def trailers(flow: http.HTTPFlow) -> cassette.Headers | None:
    """Return the trailers of a flow's response."""
    found = flow.response.trailers if flow.response else None
    return tuple(found.fields) if found is not None else None


def completion(flow: http.HTTPFlow) -> tuple[cassette.EndReason, str]:
    """Return how a flow ended that is complete in mitmproxy's eyes."""
    broken_off = _connections.broken_off(flow)
    return ("upstream-error", broken_off) if broken_off is not None else ("complete", "")


def ending(flow: http.HTTPFlow) -> tuple[cassette.EndReason, str]:
    """Return why a flow that mitmproxy gave up ended, and what mitmproxy says of it.

    mitmproxy tells by its message only which side it was; a client whose connection is gone is told by
    that, since HTTP/2 clients may also reset a single stream and keep the connection.
    """
    detail = flow.error.msg if flow.error else ""
    if flow.error and detail == flow.error.KILLED_MESSAGE:
        return "recorder-stopped", detail
    if timed_out := _connections.timed_out(flow.client_conn):
        return timed_out
    if not flow.client_conn.connected or detail == "Client disconnected.":
        return "client-closed", detail
    if "reset by client" in detail:
        if not _connections.upstream_reset_stream(flow):
            return "client-closed", detail
        detail = detail.replace("reset by client", "reset by upstream")
    return "upstream-error", detail
