"""A forward proxy that answers for the hosts of the recording, and refuses all others.

A client says what host it wants with CONNECT, and speaks TLS to it inside, with a certificate of our own; or,
for http, with the whole URL in its request. So the host is part of what is matched.
Invariant: nothing is ever sent to any other machine.
"""

import asyncio
from collections.abc import Callable
from typing import TypeAlias

from msgspec.structs import replace

from tokentape.cassette import same_authority, split_authority
from tokentape.replay._answering import Answering
from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Reply
from tokentape.replay.matching._matcher import Miss
from tokentape.replay.matching._request_key import RequestKey, request_key
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._entrance import Look, Stage
from tokentape.replay.serving._limits import Limits
from tokentape.replay.serving._requests import IncomingRequest, RequestReader, begins_tls

Answer: TypeAlias = Callable[[IncomingRequest], Reply]
_CONNECT = b"CONNECT "
_ESTABLISHED = b"HTTP/1.1 200 Connection established\r\n\r\n"
_MAX_NAMED = 10


class Proxying:
    """What becomes of the connections to a proxy.

    `steered` answers what is for the server itself. `plain` and `secured` make the protocol of a connection
    that gets its answers from a function: as it is, and within TLS for a host; `entered` makes that of one at
    whose first bytes is looked again.
    """

    def __init__(
        self,
        answering: Answering,
        *,
        steered: Callable[[IncomingRequest], Reply | None],
        plain: Callable[[Answer], asyncio.Protocol],
        secured: Callable[[str, Answer], asyncio.Protocol],
        entered: Callable[[Look], asyncio.Protocol],
    ) -> None:
        self._answering = answering
        self._steered = steered
        self._plain = plain
        self._secured = secured
        self._entered = entered

    @property
    def hosts(self) -> tuple[str, ...]:
        """The recorded hosts, without their ports."""
        return tuple(sorted({split_authority(host)[0] for host in self._answering.hosts}))

    def look(self, came: bytes) -> Stage | None:
        """Tell a CONNECT from a request to the proxy itself."""
        start = came[: len(_CONNECT)]
        if start != _CONNECT[: len(start)]:
            return Stage(self._plain(self.reply_to), came)
        if b"\r\n\r\n" not in came and len(came) <= Limits().max_head_bytes:
            return None
        reader = RequestReader(tunnels=True)
        found = reader.feed(came)
        if len(found) != 1 or not isinstance(found[0], IncomingRequest):
            return Stage(self._plain(self.reply_to), came)  # which says what is wrong with it
        wanted = _authority(found[0].target)
        if wanted not in self._answering.hosts:
            return Stage(
                None, say=self._refusal(RequestKey(method="CONNECT", path=wanted.encode(), body=b""))
            )
        return Stage(self._entered(lambda inside: self._inside(wanted, inside)), reader.rest, _ESTABLISHED)

    def reply_to(self, request: IncomingRequest) -> Reply:
        """Return the answer to a request that has no tunnel: it names its host in its target, or steers."""
        if reply := self._steered(request):
            return reply
        key = request_key(request.method, request.target, b"")
        if key.authority and key.host in self._answering.hosts:
            return self._answering.reply_to(replace(request, scheme=key.scheme, authority=key.authority))
        close = not request.keep_alive or request.http_version == "1.0"
        shown = f"{key.scheme}://{key.host}".encode() if key.authority else b""
        return Reply(
            now=self._refusal(
                RequestKey(method=key.method, path=shown + key.path, body=b""),
                of_proxy=bool(key.authority),
                with_body=key.method != "HEAD",
                close=close,
            ),
            ending="close" if close else "open",
        )

    def _inside(self, authority: str, came: bytes) -> Stage:
        """Tell TLS in a tunnel from plain HTTP, for which some clients use CONNECT too."""
        scheme = "https" if begins_tls(came) else "http"

        def answer(request: IncomingRequest) -> Reply:
            return self._answering.reply_to(replace(request, scheme=scheme, authority=authority))

        if scheme == "http":
            return Stage(self._plain(answer), came)
        return Stage(self._secured(split_authority(authority)[0], answer), came)

    def _refusal(
        self, key: RequestKey, *, of_proxy: bool = True, with_body: bool = True, close: bool = True
    ) -> bytes:
        recorded = sorted(self._answering.hosts)
        hosts = ", ".join(map(printable, recorded[:_MAX_NAMED]))
        hosts += f" and {len(recorded) - _MAX_NAMED} more" if len(recorded) > _MAX_NAMED else ""
        said = f"{key}: this host is not in the recording; this proxy answers for {hosts}"
        if not of_proxy:
            said = f"{key}: expected HTTPS_PROXY and HTTP_PROXY to be this URL, not a base URL, for {hosts}"
        self._answering.miss(key, Miss(code="host_not_recorded", lines=(said,), status=403))
        return error_response(
            403,
            said,
            kind="invalid_request_error",
            code="host_not_recorded",
            with_body=with_body,
            close=close,
        )


def _authority(target: bytes) -> str:
    """Return what a CONNECT is for, in one spelling; as it is if it is no host with a port."""
    text = target.decode("utf-8", "replace")
    try:
        host, port = split_authority(text)
    except ValueError:
        return text.rpartition("@")[2]
    return same_authority(host, port)
