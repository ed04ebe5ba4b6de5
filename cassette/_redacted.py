"""What stands in the place of a secret: one form, which recorders write and replays read as "anything"."""

import re

REDACTED = re.compile(rb"(?:\[|%5B)redacted(?: |%20)([a-z0-9]+(?:-[a-z0-9]+)*)\**(?:\]|%5D)")
"""A placeholder in bytes; its group is the name of the rule. In a URL it is percent-encoded.

Where a size was to be kept, asterisks fill it up before the bracket.
"""


def placeholder(name: str, *, in_url: bool = False) -> bytes:
    """Return what a secret is replaced with; `name` is in lower case letters, digits and single hyphens."""
    return b"%%5Bredacted%%20%b%%5D" % name.encode() if in_url else b"[redacted %b]" % name.encode()


def filler(name: str, size: int) -> bytes:
    """Return a placeholder of exactly so many bytes; where it does not fit, asterisks."""
    plain = placeholder(name)
    return plain[:-1] + b"*" * (size - len(plain)) + b"]" if size >= len(plain) else b"*" * size
