"""Which protocol a new connection gets: a server's, one within TLS, or a proxy's.

Invariant: whatever a client speaks that this port does not, it is answered or a line on stderr says so, once
for each kind of mistake.
"""

import asyncio
import logging
import ssl
from collections.abc import Callable

from msgspec.structs import replace

from tokentape.replay._answering import Answering
from tokentape.replay._openai_error import error_response
from tokentape.replay._reply import Reply
from tokentape.replay.serving._certificates import CertificateAuthority
from tokentape.replay.serving._connection import Connection
from tokentape.replay.serving._entrance import Entrance, Look, Stage
from tokentape.replay.serving._party import Party
from tokentape.replay.serving._proxying import Answer, Proxying
from tokentape.replay.serving._requests import IncomingRequest, begins_tls
from tokentape.replay.serving._secured import Secured

_log = logging.getLogger("tokentape.replay")  # warnings reach stderr where nobody configured logging
_MAX_REMARKS = 100


class Reception:
    """Makes the protocols of connections. `connect` makes one that gets its answers from a function.

    `steered` answers what is for the server itself and not for the recording, and no request in a tunnel.

    `opened` and `lost` are told of every connection. With `tls` a port speaks TLS alone; with `proxy` it is a
    forward proxy that has certificates of this authority. Raises ValueError for both.
    """

    def __init__(
        self,
        answering: Answering,
        *,
        steered: Callable[[IncomingRequest], Reply | None],
        connect: Callable[[Answer], Connection],
        opened: Callable[[Party], None],
        lost: Callable[[Party], None],
        tls: ssl.SSLContext | None,
        proxy: CertificateAuthority | None,
    ) -> None:
        if tls is not None and proxy is not None:
            raise ValueError("expected either tls or proxy: a proxy speaks TLS inside its tunnels")
        self._answering = answering
        self._steered = steered
        self._connect = connect
        self._opened = opened
        self._lost = lost
        self._tls = tls
        self._authority = proxy
        self._proxying = Proxying(
            answering, steered=steered, plain=connect, secured=self._secured_for, entered=self._entrance
        )
        self._remarks: set[str] = set()

    @property
    def scheme(self) -> str:
        """What the URL of the port begins with."""
        return "http" if self._tls is None else "https"

    def prepare(self) -> None:
        """Make the certificates of the recorded hosts, which would hold up streams later."""
        if self._authority is not None:
            for host in filter(str.isascii, self._proxying.hosts):  # others cannot be asked for
                self._authority.context_for(host)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        if self._authority is not None:
            return self._entrance(self._proxying.look)
        if self._tls is not None:
            return self._entrance(self._look)
        return self._connect(self._reply_to)

    def remark(self, line: str) -> None:
        """Say a line, unless it has been said."""
        if line not in self._remarks and len(self._remarks) < _MAX_REMARKS:
            self._remarks.add(line)
            _log.warning("%s", line)

    def _entrance(self, look: Look) -> Entrance:
        return Entrance(look, opened=self._opened, lost=self._lost)

    def _look(self, came: bytes) -> Stage:
        assert self._tls is not None  # noqa: S101  (else nobody looks)
        if begins_tls(came):
            return Stage(self._secured(self._tls, self._over_tls, "this server"), came)
        return Stage(self._connect(_not_over_tls), came)

    def _reply_to(self, request: IncomingRequest) -> Reply:
        return self._steered(request) or self._answering.reply_to(request)

    def _over_tls(self, request: IncomingRequest) -> Reply:
        return self._reply_to(replace(request, scheme="https"))

    def _secured_for(self, host: str, answer: Answer) -> Secured:
        assert self._authority is not None  # noqa: S101  (else there are no tunnels)
        return self._secured(self._authority.context_for(host), answer, host)

    def _secured(self, context: ssl.SSLContext, answer: Answer, name: str) -> Secured:
        return Secured(
            context,
            inner=lambda: self._connect(answer),
            opened=self._opened,
            lost=self._lost,
            failed=lambda reason: self.remark(f"no TLS with a client of {name}: {_explained(reason)}"),
        )


def _not_over_tls(request: IncomingRequest) -> Reply:
    close = not request.keep_alive or request.http_version == "1.0"
    return Reply(
        now=error_response(
            400,
            "this port speaks TLS: its URL begins with https://",
            kind="invalid_request_error",
            code="expected_tls",
            with_body=request.method != "HEAD",
            close=close,
        ),
        ending="close" if close else "open",
    )


def _explained(reason: str) -> str:
    """Return what OpenSSL said, and what to do about it where that is clear."""
    if reason.startswith(("TLSV1_ALERT_UNKNOWN_CA", "SSLV3_ALERT_BAD_CERT", "SSLV3_ALERT_CERTIFICATE")):
        return f"it does not trust the certificate ({reason}); its authority has to be set in the client"
    return reason
