r"""Text that comes a few characters at a time, put together, with where each character stands in the bytes.

A chat stream brings `sk-` in one event and the rest of the key in the next ones: neither looks like a
secret. Here the strings that stand at the same place of the events of a stream are joined: the same keys,
and the same `index` (or the like) in the objects around, so that choices, tool calls and content blocks
stay apart. No dialect is needed for that. Lines that are no JSON (Replicate) are joined as they are.

The invariant: parts of the joined text have the bytes from which they were taken, so that what is found
can be replaced there.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

_BLANK = re.compile(rb"\n\r?\n|\r\r")
_LINE = re.compile(rb"[^\r\n]+")
_TOKEN = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"|([{}\[\],:])|([^\s{}\[\],:"]+)')
_ESCAPE = re.compile(
    rb"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|\\u([0-9a-fA-F]{4})|\\(.)"
)
_SIMPLE = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"b": b"\b", b"f": b"\f"}
_TELL_APART = {b"index", b"output_index", b"content_index", b"summary_index", b"item_id", b"type"}
_MAX_DEPTH = 100


@dataclass(slots=True)
class Joined:
    """Text from several places. `parts` says of each part where in `text` and in the bytes it stands."""

    text: bytearray = field(default_factory=bytearray)
    parts: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, text: bytes, start: int, end: int) -> None:
        """Append text that stands at these bytes; either as long as they are, or all of them."""
        self.parts.append((len(self.text), start, end))
        self.text += text

    def spans(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return the bytes of a part of the text, in as few spans as there can be."""
        found: list[tuple[int, int]] = []
        ends = [at for at, _, _ in self.parts[1:]] + [len(self.text)]
        for (at, begin, stop), after in zip(self.parts, ends, strict=True):
            if at >= end or after <= start or begin == stop:
                continue
            first, last = begin, stop
            if after - at == stop - begin:  # letter for letter
                first, last = begin + max(start - at, 0), stop - max(after - end, 0)
            if found and found[-1][1] == first:
                found[-1] = (found[-1][0], last)
            else:
                found.append((first, last))
        return found


def joined_texts(body: bytes) -> Iterator[Joined]:
    """Yield the texts that the lines of a decoded body bring in parts."""
    texts: dict[tuple[object, ...], Joined] = {}
    values: dict[tuple[object, ...], set[bytes]] = {}
    for place, first, last in _places(body):
        values.setdefault(place, set()).add(body[first:last])
        _add(texts.setdefault(place, Joined()), body, first, last)
    for place, text in texts.items():
        if len(values[place]) > 1:  # an id or a model that is the same in all events is no text
            yield text


_Place = tuple[object, ...]


def _places(body: bytes) -> Iterator[tuple[_Place, int, int]]:
    """Yield the strings of a body: what tells where they belong, and where they stand."""
    if body.lstrip()[:1] == b"[":  # a stream that is one array, an event an element of it, as Gemini's
        for place, first, last in _strings(body, 0, len(body)):
            if len(place) > 2:  # not an array of strings
                yield place[1:], first, last
        return
    data: list[tuple[int, int]] = []
    for line in _LINE.finditer(body):
        start, end = line.span()
        if body.startswith(b"data:", start):
            start += 6 if body.startswith(b"data: ", start) else 5
            if data and _BLANK.search(body, data[-1][1], start):
                yield from _event(body, data)
                data = []
            data.append((start, end))
        elif body.startswith(b"{", start):
            yield from _strings(body, start, end)
    yield from _event(body, data)


def _event(body: bytes, lines: list[tuple[int, int]]) -> Iterator[tuple[_Place, int, int]]:
    """Yield the strings of an event, whose data may have several lines; no string of JSON goes over two."""
    if not lines or not body.startswith(b"{", lines[0][0]):
        yield from (((), start, end) for start, end in lines)
    elif len(lines) == 1:
        yield from _strings(body, *lines[0])
    else:
        begins = list(accumulate((end - start + 1 for start, end in lines), initial=0))
        text = b"\n".join(body[start:end] for start, end in lines)
        for place, first, last in _strings(text, 0, len(text)):
            which = bisect_right(begins, first) - 1
            moved = lines[which][0] - begins[which]
            yield place, first + moved, last + moved


def _strings(  # noqa: C901, PLR0912  (a case for each token)
    body: bytes, start: int, end: int
) -> list[tuple[tuple[object, ...], int, int]]:
    """Return the strings of a line of JSON: what tells where they belong, and where they stand."""
    found: list[tuple[list[object], list[dict[bytes, bytes]], int, int]] = []
    path: list[object] = []  # a key or an index for each open object or array
    around: list[dict[bytes, bytes]] = []
    is_key = False
    for token in _TOKEN.finditer(body, start, end):
        string, mark, other = token.groups()
        match mark:
            case b"{" | b"[":
                if len(path) >= _MAX_DEPTH:
                    return []
                path.append(0 if mark == b"[" else b"")
                around.append({})
                is_key = mark == b"{"
            case b"}" | b"]":
                if path:
                    path.pop()
                    around.pop()
                is_key = False
            case b",":
                if path and isinstance(path[-1], int):
                    path[-1] += 1
                else:
                    is_key = True
            case b":":
                is_key = False
            case _ if is_key and path and string is not None:
                path[-1] = string
            case _:
                if path and path[-1] in _TELL_APART:
                    around[-1][path[-1]] = string if string is not None else other
                elif string is not None:
                    found.append(([*path], [*around], *token.span(1)))
    return [
        ((*where, *(tuple(sorted(ids.items())) for ids in objects)), first, last)
        for where, objects, first, last in found
    ]


def _add(joined: Joined, body: bytes, start: int, end: int) -> None:
    """Append a string of JSON with its escapes undone."""
    position = start
    for escape in _ESCAPE.finditer(body, start, end):
        if escape.start() > position:
            joined.add(body[position : escape.start()], position, escape.start())
        high, low, code, simple = escape.groups()
        if simple is not None:
            text = _SIMPLE.get(simple, simple)
        elif code is not None:
            text = chr(int(code, 16)).encode("utf-8", "replace")
        else:
            text = bytes.fromhex(f"{high.decode()}{low.decode()}").decode("utf-16-be").encode()
        joined.add(text, *escape.span())
        position = escape.end()
    if end > position:
        joined.add(body[position:end], position, end)
