"""The lines of an event stream as they were written: what decoding undoes, and lines that it ignores.

The invariant: a line belongs to the event that it is a part of, or that comes next, so the numbers agree
with those of the decoded events.
"""

import re
from collections.abc import Iterator, Sequence

from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._rule_set import Framing
from tokentape.dialects.rules._shown import shown

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"
_FIELDS = (b"data", b"event", b"id", b"retry", b"")


def check_lines(pieces: Sequence[bytes], framing: Framing) -> Iterator[Finding]:
    """Yield what lines depart in. `pieces` are a whole body, its content-encoding undone."""
    body = b"".join(pieces).removeprefix(_BOM)
    lines = _LINE_END.split(body) if b"\r" in body else body.split(b"\n")
    number, has_data = 1, False
    for line in lines[:-1]:  # the last is what a body ends in the middle of
        if line.startswith(b"data: "):
            has_data = True
        elif not line:
            number, has_data = number + has_data, False
        else:
            name, colon, value = line.partition(b":")
            has_data = has_data or name == b"data"
            if name not in _FIELDS:
                expected = "data:, event:, id:, retry: or a comment"
                yield Finding("stray-line", number, expected, _words(line))
            elif name == b"data" and colon and value and framing.space_after_data:
                yield Finding("data-without-space", number, "data: and a space", _words(line[:12]))
            elif not name and framing.no_comments:
                yield Finding("comment", number, "lines with data only", _words(line))


def _words(line: bytes) -> str:
    return shown(line[:200].decode("utf-8", "replace"))
