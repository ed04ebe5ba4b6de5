r"""Text as it was meant, where it is spelled with escapes, and where it stands in the bytes.

A secret may be spelled `sk\u002d...` or `https:\/\/...` in JSON and `sk%2D...` in a URL or a form. A view
has these escapes undone, and only those of printable ASCII: what separates words stays as it is. Escapes
of escapes (JSON in a string of JSON) are undone with them. `View.origin` leads from a part of the view to
the bytes that spell it.

What cannot hold a secret is left out of the search: `text_spans` passes over long runs of base64, as
images are. It looks at one place in 4 KiB to find them, so that 20 MB of image cost next to nothing, and
random letters that look like a key are no reason to destroy a picture.
"""

import re
from bisect import bisect_left
from collections.abc import Iterator

# It begins with a set, which the regex engine finds by itself, ten times as fast as two alternatives.
_ESCAPE = re.compile(rb"[\\%](?:(?<=\\)\\{0,7}(?:u00([2-7][0-9a-fA-F])|(/))|(?<=%)([2-7][0-9a-fA-F]))")
_MAX_PASSES = 3  # %253D is %3D is =
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-"
_RUN = re.compile(rb"[A-Za-z0-9+/_-]*+(?:\\/[A-Za-z0-9+/_-]*+)*+")  # PHP escapes every slash in JSON
_SAMPLE = re.compile(rb"(?:[A-Za-z0-9+/_-]|\\/){64}")
_STEP = 4096
_EDGE = 512  # of a run are searched at both ends, which may belong to something else


class View:
    """Bytes with one layer of escapes undone; `text` is what is searched."""

    def __init__(self, source: bytes, below: "View | None" = None) -> None:
        self._source = source
        self._below = below
        self._at: list[int] = []  # where in `text` each undone escape stands
        self._shrunk: list[int] = []  # by how many bytes the text is shorter, up to and with it
        self.text = _ESCAPE.sub(_undone, source)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Return where in the bytes of the lowest layer a part of the text stands."""
        if not self._at:
            shrunk = 0
            for escape in _ESCAPE.finditer(self._source):
                self._at.append(escape.start() - shrunk)
                shrunk += escape.end() - escape.start() - 1
                self._shrunk.append(shrunk)
        span = self._start_of(start), self._start_of(end)
        return self._below.origin(*span) if self._below else span

    def _start_of(self, position: int) -> int:
        before = bisect_left(self._at, position)
        return position + (self._shrunk[before - 1] if before else 0)


def views(data: bytes) -> Iterator[View]:
    """Yield the views of bytes that have escapes, one for each layer of them."""
    below: View | None = None
    for _ in range(_MAX_PASSES):
        if not _ESCAPE.search(data):
            return
        below = View(data, below)
        data = below.text
        yield below


def text_spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield the parts of bytes, in order, that are worth searching."""
    position, probe = 0, _STEP
    while probe < len(data):
        if _SAMPLE.match(data, probe):
            head = data[max(position, probe - _STEP) : probe]
            start = probe - len(head) + len(head.rstrip(_ALPHABET))
            run = _RUN.match(data, probe)
            end = run.end() if run else probe
            if end - start >= _STEP:
                yield position, start + _EDGE
                position, probe = end - _EDGE, end
        probe += _STEP
    yield position, len(data)


def _undone(escape: re.Match[bytes]) -> bytes:
    in_json, slash, in_url = escape.groups()
    return slash or bytes.fromhex((in_json or in_url).decode())
