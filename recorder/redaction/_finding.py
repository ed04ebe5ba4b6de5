r"""Where the secrets of some text are: by shape, as parameters of URLs in it, and as fields of JSON in it.

A shape's literal beginnings are looked for first; its regex is tried only where one was found and a word
begins. So the cost of a long text does not depend on how the regexes are written.

Invariant: the finds of `find` are in order and do not overlap.
"""

import binascii
import re
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tokentape.cassette import REDACTED
from tokentape.recorder.redaction._rules import Field, Header, Names, Parameter, Rules, Shape, bytes_regex
from tokentape.recorder.redaction._views import text_spans, views

_SCHEME = re.compile(
    rb"(?i:basic|bearer|digest|negotiate|token|key|api-?key|hmac|hawk|ntlm|oauth|aws4-hmac-sha256|dpop)[ +]+"
)
_AFTER_AN_ESCAPE = re.compile(  # of JSON, of a URL, of a terminal's colours
    rb"(?:\\[nrtbfv0]|\\u[0-9a-fA-F]{4}|\\x[0-9a-fA-F]{2}|%[0-9a-fA-F]{2}|\[[0-9;]{0,9}m)\Z"
)
_IN_DATA = re.compile(rb"[A-Za-z0-9_-]{40}")
_PARAMETER = re.compile(rb"[?&;#]([][A-Za-z0-9_.-]{1,48})=")
_LONGEST_PARAMETER = 50
_VALUE = re.compile(rb"[^&;\s\"'<>#\\,)\]}]{8,}")
_FIELD = re.compile(rb'"([A-Za-z0-9_. -]{2,64})(\\{0,15})"\s{0,16}:\s{0,16}(\\{0,15})"')
_END_OF_STRING = re.compile(rb'[^"\\]*(?:\\.[^"\\]*)*', re.DOTALL)


class Find(NamedTuple):
    """A secret: where it stands, and what its placeholder says."""

    start: int
    end: int
    name: str
    in_url: bool = False


class Finder:
    """Finds what a list of rules describes."""

    def __init__(self, rules: Rules) -> None:
        self.headers: Names[Header] = Names(rules.headers)
        self.parameters: Names[Parameter] = Names(rules.parameters)
        self.fields: Names[Field] = Names(rules.fields)
        self._starts = Starts(rules.shapes)
        self._anywhere = [shape for shape in rules.shapes if not shape.starts]

    def find(self, data: bytes) -> list[Find]:
        """Return all secrets of a text, as it is and as its escapes mean it."""
        found: list[Find] = []
        for start, end in text_spans(data):
            found += self._all(data, start, end)
            for view in views(data[start:end]):
                for each in self._all(view.text, 0, len(view.text)):
                    first, last = view.origin(each.start, each.end)
                    found.append(each._replace(start=start + first, end=start + last))
        return apart(data, found)

    def _all(self, data: bytes, start: int, end: int) -> Iterator[Find]:
        yield from self._shapes(data, start, end)
        if self.parameters.rules:
            yield from self._parameters(data, start, end)
        if self.fields.rules:
            yield from self._fields(data, start, end)

    def _shapes(self, data: bytes, start: int, end: int) -> Iterator[Find]:
        done = 0
        for at, shape, regex in self._starts.find(data, start, end):
            if at >= done and (shape.inside_words or _begins_word(data, at)):
                found = regex.match(data, at)
                if found is not None and _is_decoded(shape, found):
                    find = _of(shape, found)
                    done = find.end
                    yield find
        for shape in self._anywhere:
            for found in bytes_regex(shape.regex).finditer(data, start, end):
                if (shape.inside_words or _begins_word(data, found.start())) and _is_decoded(shape, found):
                    yield _of(shape, found)

    def _parameters(self, data: bytes, start: int, end: int) -> Iterator[Find]:
        while found := _PARAMETER.search(data, start, end):
            start = found.end()
            for rule in self.parameters.of(found[1])[:1]:
                if value := _VALUE.match(data, start):
                    yield Find(*value.span(), rule.name, in_url=True)
                    # What begins inside of the value ends with it, unless its name goes on behind it.
                    start = max(start, value.end() - _LONGEST_PARAMETER)

    def _fields(self, data: bytes, start: int, end: int) -> Iterator[Find]:
        for found in _FIELD.finditer(data, start, end):
            rules = self.fields.of(found[1])
            if not rules or found[2] != found[3]:
                continue
            begin = found.end()
            value = data[begin : _end_of_string(data, begin, found[3])]
            for rule in rules:
                if value and (not rule.value or bytes_regex(rule.value).fullmatch(value)):
                    kept = scheme(value) if rule.keep_scheme else 0
                    yield Find(begin + kept, begin + len(value), rule.name)
                    break


class _Start(NamedTuple):
    """A literal beginning, which byte of it is the anchor, and whose it is."""

    literal: bytes
    anchor: int
    shape: Shape
    regex: re.Pattern[bytes]


class Starts:
    """Looks for the literal beginnings of shapes, all at once.

    Of each beginning a byte that is rare in text is its anchor. One regex looks for the anchors, a set of
    bytes, which is fast, and behind each for what should stand before it. To look for each beginning with
    `bytes.find` takes five times as long.
    """

    def __init__(self, shapes: Iterable[Shape]) -> None:
        self._known: dict[bytes, list[_Start]] = {}  # by the anchor with the byte before it, if it has one
        by_anchor: dict[int, list[_Start]] = {}
        for shape in shapes:
            for start in shape.starts:
                literal = start.encode()
                at = min(range(len(literal)), key=lambda index: _cost(literal[index], index))
                known = _Start(literal, at, shape, bytes_regex(shape.regex))
                by_anchor.setdefault(literal[at], []).append(known)
                self._known.setdefault(literal[max(at - 1, 0) : at + 1], []).append(known)
        branches = [
            re.escape(bytes([byte])) + b"(?:" + b"|".join(_around(starts)) + b")"
            for byte, starts in sorted(by_anchor.items())
        ]
        self._anchors = re.compile(b"|".join(branches)) if branches else None

    def find(self, data: bytes, start: int, end: int) -> Iterator[tuple[int, Shape, re.Pattern[bytes]]]:
        """Yield where a shape's beginning stands, the shape, and its regex."""
        if self._anchors is None:
            return
        for anchor in self._anchors.finditer(data, start, end):
            at = anchor.start()
            for key in (data[max(at - 1, 0) : at + 1], data[at : at + 1]):
                for literal, offset, shape, regex in self._known.get(key, ()):
                    if at - offset >= start and data.startswith(literal, at - offset):
                        yield at - offset, shape, regex


def _around(starts: Iterable[_Start]) -> Iterator[bytes]:
    """Yield regexes for what stands around an anchor; those before it in one, by their lengths."""
    before: dict[int, set[bytes]] = {}
    for literal, at, _, _ in starts:
        if at >= 2:
            before.setdefault(at, set()).add(re.escape(literal[: at + 1]))
        else:  # too little stands before it to tell
            yield b"(?<=" + re.escape(literal[: at + 1]) + b")" + re.escape(literal[at + 1 :])
    for same in before.values():
        yield b"(?<=" + b"|".join(sorted(same)) + b")"


_COMMON = b" etaoinsrhldcumpfgwybv.,kTSAIxjqEzRNOLCDMPU-BFG"
"""The commonest bytes of prose, in that order."""


def _cost(byte: int, index: int) -> int:
    """Return how often a byte would have to be looked at, in some unit; less if more stands before it."""
    rank = _COMMON.find(byte)
    return (len(_COMMON) - rank if rank >= 0 else 0) + (5 if index < 2 else 0)


def scheme(value: bytes) -> int:
    """Return how long the scheme at the beginning of credentials is, with its space."""
    found = _SCHEME.match(value)
    return found.end() if found else 0


def apart(data: bytes, finds: Iterable[Find]) -> list[Find]:
    """Return finds in order, those that overlap as one, and none that is in a placeholder already."""
    kept: list[Find] = []
    for find in sorted(finds, key=lambda each: (each.start, -each.end)):
        if kept and find.start < kept[-1].end:
            kept[-1] = kept[-1]._replace(end=max(kept[-1].end, find.end))
        elif data[find.start : find.end].strip(b"*"):  # else it was too short for a placeholder
            kept.append(find)
    if not kept:
        return kept
    replaced = [found.span() for found in REDACTED.finditer(data)]
    starts = [start for start, _ in replaced]

    def is_in_a_placeholder(find: Find) -> bool:
        before = bisect_right(starts, find.start)
        return before > 0 and find.end <= replaced[before - 1][1]

    return [find for find in kept if not is_in_a_placeholder(find)]


def _of(shape: Shape, found: re.Match[bytes]) -> Find:
    span = found.span("secret") if "secret" in found.re.groupindex else found.span()
    return Find(*span, shape.name, in_url=shape.in_url)


def _is_decoded(shape: Shape, found: re.Match[bytes]) -> bool:
    """Whether what was found is base64 of what the shape asks for, if it does."""
    if not shape.decoded:
        return True
    find = _of(shape, found)
    text = found.string[find.start : find.end].rstrip(b"=")
    try:
        plain = b64decode(text + b"=" * (-len(text) % 4))
    except binascii.Error:
        return False
    return bool(bytes_regex(shape.decoded).fullmatch(plain))


def _begins_word(data: bytes, at: int) -> bool:
    """Whether no word goes on here, nor data: a word begins after an escape, and not inside of `task-...`."""
    if at == 0:
        return True
    before = data[at - 1 : at]
    if before in b"-_":
        return not (at >= 40 and _IN_DATA.match(data, at - 40, at))
    return not before.isalnum() or bool(_AFTER_AN_ESCAPE.search(data[max(at - 12, 0) : at]))


def _end_of_string(data: bytes, start: int, escape: bytes) -> int:
    """Return where a string of JSON ends; in JSON in a string, `escape` stands before its quotes."""
    if not escape:
        found = _END_OF_STRING.match(data, start)
        return found.end() if found else start
    # n backslashes before a quote are those of `escape` and, for each backslash of the string itself, one
    # more than these. An odd number of the latter is a quote inside of the string.
    depth, position = len(escape), start
    while (quote := data.find(b'"', position)) >= 0:
        backslashes = quote - position - len(data[position:quote].rstrip(b"\\"))
        inner, outer = divmod(backslashes, depth + 1)
        if outer < depth or inner % 2 == 0:
            return quote - outer
        position = quote + 1
    return len(data)
