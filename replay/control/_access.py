"""Who may steer, and have an API asked: programs of this machine, and whoever others were let in for.

Browsers send requests to any address for the pages that they show. Two headers tell these apart, which no
page can forge (Fetch, 4.6): `Origin` says which site a request that changes something is from, and `Host` has
the name that the browser knew the server by, a stranger's name if that was made to lead here (DNS rebinding).

Invariant: who listens on loopback only is steered, and asks, under names of loopback only; and no page of
another site changes anything, or has anything asked, wherever is listened.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from tokentape.cassette import header
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._requests import IncomingRequest

_MAX_SHOWN = 100
_FOREIGN_PAGE = "expected no request from a page of another site, found one with"


class Access:
    """The door of a server that was told to listen on `host`, and listens on `addresses` therefore."""

    def __init__(self, host: str, addresses: Iterable[str]) -> None:
        self._own_name = host.lower()
        self._only_loopback = all(map(_is_loopback, addresses))

    def why_not(self, request: IncomingRequest) -> str | None:
        """Return why a request is refused, in a line; None if it is not."""
        host = header(request.headers, b"host")
        if reason := self._wrong_name(host):
            return reason
        origin = header(request.headers, b"origin")
        if origin and request.method not in ("GET", "HEAD") and _authority(origin) != host.lower():
            return f"expected no change from a page of another site, found one with Origin: {_shown(origin)}"
        return None

    def why_not_ask(self, request: IncomingRequest) -> str | None:
        """Return why nothing is asked of an API for a request, in a line; None if it may be.

        A page of this machine, on whatever port, is an app that is tested: its requests are taken. A page
        whose browser names no `Origin` (for an image, say) is known by `Sec-Fetch-Site`.
        """
        host = header(request.headers, b"host")
        if reason := self._wrong_name(host):
            return reason
        origin = header(request.headers, b"origin")
        if origin and _authority(origin) != host.lower() and not _is_of_this_machine(origin):
            return f"{_FOREIGN_PAGE} Origin: {_shown(origin)}"
        if not origin and header(request.headers, b"sec-fetch-site").lower() == "cross-site":
            return f"{_FOREIGN_PAGE} Sec-Fetch-Site: cross-site"
        return None

    def _wrong_name(self, host: str) -> str | None:
        if self._only_loopback and host and not self._is_own(host):
            return (
                "expected a name of this machine in Host, such as localhost or 127.0.0.1, "
                f"found {_shown(host)}; it listens on loopback only"
            )
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name == self._own_name or _is_name_of_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _is_name_of_loopback(name: str) -> bool:
    return name == "localhost" or name.endswith(".localhost") or _is_loopback(name)


def _is_of_this_machine(origin: str) -> bool:
    """Whether an origin is a web server's of this machine: scheme and authority, and nothing more."""
    try:
        parts = urlsplit(origin.lower())
        whole = parts.geturl() == f"{parts.scheme}://{parts.netloc}" and parts.port != 0
    except ValueError:
        return False
    return whole and parts.scheme in ("http", "https") and _is_name_of_loopback(parts.hostname or "")


def _authority(origin: str) -> str:
    return origin.lower().partition("://")[2]


def _shown(text: str) -> str:
    return repr(printable(text[:_MAX_SHOWN]))
