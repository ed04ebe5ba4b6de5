"""The options of `replay` that say how clients reach it: plainly, over TLS, or as their proxy."""

import shlex
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import click

from tokentape.cli._clients import through_proxy, trusting
from tokentape.cli._extras import needs
from tokentape.cli._given import given
from tokentape.replay import CertificateAuthority, Server, Workers, tls_context

R = TypeVar("R")
_EVERYWHERE = ("0.0.0.0", "::", "")  # noqa: S104  (what is listened on is the user's choice)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a server needs for it: `tls` and `proxy` as `Server` takes them."""

    tls: ssl.SSLContext | None = None
    proxy: CertificateAuthority | None = None
    authority: str = ""
    """The file of the certificate that clients have to trust, if this made it."""

    def what_to_set(self, server: Server | Workers) -> list[str]:
        """Return what a client's environment needs, a line each."""
        if self.proxy is not None:
            return through_proxy(server.url, self.authority)
        base_url = f"export OPENAI_BASE_URL={server.base_url}"
        return [base_url, trusting(self.authority)] if self.authority else [base_url]


def reach_options(command: Callable[..., R]) -> Callable[..., R]:
    """Add the options to a command, which gets a function that makes a `Reach` for a host to listen on."""

    @click.option("--proxy", is_flag=True, help="Be a forward proxy for the recorded hosts alone.")
    @click.option("--tls", is_flag=True, help="Speak TLS, certified by mitmproxy's authority.")
    @click.option("--tls-cert", metavar="FILE", help="Speak TLS with this certificate, as PEM.")
    @click.option("--tls-key", metavar="FILE", help="Its private key, if that is in another file.")
    @click.option(
        "--confdir",
        metavar="FOLDER",
        default="~/.mitmproxy",
        show_default=True,
        help="Where that authority is, or will be.",
    )
    @wraps(command)
    def with_reach(
        *args: Any,
        proxy: bool,
        tls: bool,
        tls_cert: str | None,
        tls_key: str | None,
        confdir: str,
        **kwargs: Any,
    ) -> R:
        if tls_key is not None and tls_cert is None:
            raise click.UsageError("expected --tls-cert beside --tls-key, found none")
        if [proxy, tls, tls_cert is not None].count(True) > 1:
            raise click.UsageError("expected one of --proxy, --tls and --tls-cert, found several")
        if given("confdir") and not proxy and not tls:
            raise click.UsageError("expected --proxy or --tls beside --confdir, found neither")

        def reach(host: str) -> Reach:
            if tls_cert is not None:
                return Reach(tls=tls_context(tls_cert, tls_key))
            if not proxy and not tls:
                return Reach()
            with needs("record"):
                authority = CertificateAuthority(confdir)
            file = shlex.quote(str(authority.cert_file))
            if proxy:
                return Reach(proxy=authority, authority=file)
            names = ["localhost", "127.0.0.1", "::1", socket.gethostname() if host in _EVERYWHERE else host]
            return Reach(tls=authority.context_for(*names), authority=file)

        return command(*args, reach=reach, **kwargs)

    return with_reach
