"""A host and a port as URLs have them."""

from functools import lru_cache
from ipaddress import ip_address

DEFAULT_PORTS = {"http": 80, "https": 443}


def authority(host: str, port: int, *, scheme: str = "") -> str:
    """Return `host:port`, an IPv6 host in brackets; without a port that is 0 or goes without saying.

    Without a `scheme` no port does: of a proxy's URL curl takes 1080 for the default.
    """
    shown = f"[{host}]" if ":" in host else host
    return shown if port in (DEFAULT_PORTS.get(scheme), 0) else f"{shown}:{port}"


def split_authority(text: str) -> tuple[str, int]:
    """Return the host, without brackets, and the port of `host:port`; 0 where there is none.

    Credentials before an @ are left out. Raises ValueError for what is no host with a port.
    """
    plain = text.rpartition("@")[2]
    host, colon, port = plain.rpartition(":")
    if not colon or (plain.startswith("[") and plain.endswith("]")):
        host, port = plain, ""
    if host.startswith("[") != host.endswith("]") or (":" in host and not host.startswith("[")):
        raise ValueError("expected an IPv6 address in brackets")
    bare = host.removeprefix("[").removesuffix("]")
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    if not bare or number > 65535 or (port and not number):
        raise ValueError("expected HOST:PORT with a port of at most 65535")
    return bare, number


@lru_cache(maxsize=1_024)  # the same few for every request
def same_authority(host: str, port: int, *, scheme: str = "") -> str:
    """Return `host:port` in one spelling for all that reach the same, the host as of `same_host`.

    A port that is 0 becomes the default of the scheme, if that has one.
    """
    return authority(same_host(host), port or DEFAULT_PORTS.get(scheme, 0))


def same_host(host: str) -> str:
    """Return a host in one spelling: lower case, A-labels (RFC 5890), without a last dot or brackets."""
    plain = host.removeprefix("[").removesuffix("]").removesuffix(".").lower()
    try:
        return str(ip_address(plain))
    except ValueError:
        pass
    try:
        return plain if plain.isascii() else plain.encode("idna").decode("ascii")
    except UnicodeError:
        return plain
