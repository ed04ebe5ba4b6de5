"""What is printed of live requests, without their secrets.

A cassette has placeholders for secrets, a live request has them, and what is said of a miss reaches
terminals and the logs of CI. So a value is not shown if its name is that of a credential, and a text
that looks like a key is shown as asterisks, one for each character. This is coarser than what a recorder
does, and may be: what is hidden here is only a word in a message. What has no known name and looks like
plain words is shown.
"""

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from tokentape.replay.matching._wildcard import has_placeholder

HIDDEN = "[hidden]"
_AROUND = 400  # characters before and after what is shown, in which a key may begin or end
_MAX_SHOWN_TARGET = 300

_KEY = re.compile(
    r"(?<![A-Za-z0-9])(?:"
    r"(?:sk|pk|rk|sess|ek|org|proj|xai|pplx|gsk|hf|r8|gh[pousr]|github_pat|glpat|xox[a-z])[-_][A-Za-z0-9_.-]{8,}"
    r"|(?:AIza|ya29|AKIA|ASIA|GOCSPX|LTAI|eyJ)[A-Za-z0-9_.-]{8,}"
    r"|(?=[A-Za-z]*[0-9])(?=[0-9]*[A-Za-z])[A-Za-z0-9]{20,}[A-Za-z0-9_+/=.-]*)"
    r"|(?i:\b(?:bearer|basic))\s+[^\s\"']{6,}"
)
_WORDS = (
    "key|keys|apikey|token|tokens|secret|secrets|password|passwd|passphrase|auth|authorization|bearer"
    "|cookie|credential|credentials|signature|sig|jwt|session|code|verifier"
)
_CREDENTIAL = re.compile(rf"(?:^|-)(?:{_WORDS})(?:-|$)")


def names_credential(name: str) -> bool:
    """Whether a header, a parameter or a field of this name holds a credential."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|[_.\s]", "-", name)
    return _CREDENTIAL.search(spaced.lower()) is not None


def shown_part(text: str, start: int, size: int) -> str:
    """Return so many characters of a text from `start`, those of what looks like a key as asterisks."""
    first = max(start - _AROUND, 0)
    window = text[first : start + size + _AROUND]
    masked = _KEY.sub(lambda found: "*" * len(found[0]), window)
    return masked[start - first : start - first + size]


def hidden(value: Any, name: str = "") -> Any:
    """Return a JSON value without the texts under names of credentials."""
    match value:
        case str() if names_credential(name) and not has_placeholder(value.encode("utf-8", "replace")):
            return HIDDEN
        case list():
            return [hidden(item, name) for item in value]
        case dict():
            return {key: hidden(item, key) for key, item in value.items()}
        case _:
            return value


def shown_target(target: bytes) -> str:
    """Return a request's target as text for people, without credentials in its query."""
    path, mark, query = target.partition(b"?")
    text = (path + mark + b"&".join(map(_shown_pair, query.split(b"&")))).decode("utf-8", "backslashreplace")
    cut = "..." if len(text) > _MAX_SHOWN_TARGET else ""
    return printable(shown_part(text, 0, _MAX_SHOWN_TARGET)) + cut


def _shown_pair(pair: bytes) -> bytes:
    name, equals, value = pair.partition(b"=")
    plain = unquote_to_bytes(name).decode("utf-8", "replace")
    if value and names_credential(plain) and not has_placeholder(value):
        return name + equals + HIDDEN.encode()
    return pair


def printable(text: str) -> str:
    r"""Return a text with `\x1b` and the like for whatever a terminal would not just show."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii") for letter in text
    )
