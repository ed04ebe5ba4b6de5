"""A host and a port as URLs have them."""

DEFAULT_PORTS = {"http": 80, "https": 443}


def authority(host: str, port: int, *, scheme: str = "") -> str:
    """Return `host:port`, an IPv6 host in brackets; without a port that is 0 or goes without saying.

    Without a `scheme` no port does: of a proxy's URL curl takes 1080 for the default.
    """
    shown = f"[{host}]" if ":" in host else host
    return shown if port in (DEFAULT_PORTS.get(scheme), 0) else f"{shown}:{port}"
