"""Who may steer: programs of this machine, and whoever reaches an address that others were let in by.

Browsers send requests to any address for the pages that they show. Two headers tell these apart, which no
page can forge (Fetch, 4.6): `Origin` says which site a request that changes something is from, and `Host` has
the name that the browser knew the server by, a stranger's name if that was made to lead here (DNS rebinding).

Invariant: who listens on loopback only is steered under names of loopback only, and no page of another site
changes anything, wherever is listened.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

from tokentape.cassette import header
from tokentape.replay.matching._secrets import printable
from tokentape.replay.serving._requests import IncomingRequest

_MAX_SHOWN = 100


class Access:
    """The door of a server that was told to listen on `host`, and listens on `addresses` therefore."""

    def __init__(self, host: str, addresses: Iterable[str]) -> None:
        self._own_name = host.lower()
        self._only_loopback = all(map(_is_loopback, addresses))

    def why_not(self, request: IncomingRequest) -> str | None:
        """Return why a request is refused, in a line; None if it is not."""
        host = header(request.headers, b"host")
        if self._only_loopback and host and not self._is_own(host):
            return (
                "expected a name of this machine in Host, such as localhost or 127.0.0.1, "
                f"found {_shown(host)}; it listens on loopback only"
            )
        origin = header(request.headers, b"origin")
        if origin and request.method not in ("GET", "HEAD") and _authority(origin) != host.lower():
            return f"expected no change from a page of another site, found one with Origin: {_shown(origin)}"
        return None

    def _is_own(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        return name in (self._own_name, "localhost") or name.endswith(".localhost") or _is_loopback(name)


def _is_loopback(name: str) -> bool:
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _authority(origin: str) -> str:
    return origin.lower().partition("://")[2]


def _shown(text: str) -> str:
    return repr(printable(text[:_MAX_SHOWN]))
