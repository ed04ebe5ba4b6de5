"""Whether an address leads back to a server of this machine. Nothing is sent to find out.

Invariant: what is said to lead here does.
"""

import socket
from contextlib import suppress
from ipaddress import ip_address


def is_at(host: str, bound: str) -> bool:
    """Whether who asks for a host reaches, at the same port, a server that listens on this address."""
    listens = ip_address(bound)
    if host == "localhost":
        return listens.is_loopback or listens.is_unspecified
    try:
        asked = ip_address(host)
    except ValueError:
        return False
    return asked == listens or (listens.is_unspecified and _is_of_this_machine(host))


def _is_of_this_machine(address: str) -> bool:
    """Whether an IP address is of an interface of this machine. Nothing is sent."""
    asked = ip_address(address)
    if asked.is_loopback:
        return True
    family = socket.AF_INET if asked.version == 4 else socket.AF_INET6
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as found:
        found.connect((address, 9))
        return ip_address(found.getsockname()[0]) == asked  # only here whence it goes is where it goes
    return False
