"""The bodies of requests: looked into through their content-encoding and by their kind, and put back.

A body that cannot be looked into is not kept: it may hold anything.
"""

import codecs
import json
import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from tokentape import cassette
from tokentape.cassette import UndecodableContent, decode_content, filler, placeholder
from tokentape.recorder.redaction._encoding import encode, unseen
from tokentape.recorder.redaction._finding import Find, Finder, apart, scheme

_WIDE = re.compile(r"charset=\"?utf-?(16|32)(?:-?([lb]e))?\b", re.IGNORECASE)
_BOUNDARY = re.compile(r"boundary\s{0,16}=\s{0,16}(?:\"([^\"]{1,200})\"|([^\s\";,]{1,200}))", re.IGNORECASE)
_FIRST_LINE = re.compile(rb"\s{0,16}--([^\r\n]{1,200})\r?\n")
_PART_PARAMETER = re.compile(  # one after the other, so that a `name=` in quotes is none
    rb";\s{0,16}([A-Za-z*-]{1,20})\s{0,16}=\s{0,16}"
    rb"(?:\"((?:[^\"\\\r\n]|\\.){0,400})\"|'([^'\r\n]{0,400})'|([^\s;]{1,400}))"
)
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_PAIRS = re.compile(rb"\s{0,16}[A-Za-z0-9_.%\[\]-]{1,64}=\S+\s{0,16}")
UNREADABLE = "unreadable-body"
UNSEEN = "encoded-body"


def redacted_body(finder: Finder, headers: cassette.Headers, body: bytes, counts: dict[str, int]) -> bytes:
    """Return a body without its secrets, in the content-encoding in which it came.

    Adds to `counts` how many were replaced, by the rule's name. One that is not what its content-encoding
    says, or longer than a record may be, is a placeholder as a whole.
    """
    encoding = cassette.header(headers, b"content-encoding")
    try:
        plain = decode_content(body, encoding, max_bytes=cassette.MAX_RECORD_BYTES)
        charset = _wide_charset(cassette.header(headers, b"content-type"), plain)
        text = plain.decode(charset).encode() if charset else plain
        dropped = sum(len(finder.find(data)) for data in unseen(body, encoding))
    except (UndecodableContent, UnicodeDecodeError):
        counts[UNREADABLE] = counts.get(UNREADABLE, 0) + 1
        return placeholder(UNREADABLE)
    finds, in_form = _finds(finder, cassette.header(headers, b"content-type"), text)
    if not finds and not dropped:
        return body
    if dropped:  # in what decoding leaves out; encoding again does too
        counts[UNSEEN] = counts.get(UNSEEN, 0) + dropped
    text = replaced(text, finds, counts, in_url=in_form)
    return encode(text.decode().encode(charset) if charset else text, encoding)


def _wide_charset(content_type: str, text: bytes) -> str | None:
    """Return the charset of a text whose characters have two or four bytes, None for any other."""
    if named := _WIDE.search(content_type):
        return "-".join(filter(None, ["utf", *named.groups()]))
    if b"\0" not in text[:4] and not text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return None
    charset = json.detect_encoding(text)
    if "json" not in content_type.lower():  # it may be no text at all
        try:
            text.decode(charset)
        except UnicodeDecodeError:
            return None
    return charset


def replaced(
    data: bytes,
    finds: list[Find],
    counts: dict[str, int],
    *,
    in_url: bool = False,
    keep_sizes: bool = False,
) -> bytes:
    """Return the data with placeholders for the finds, and count them by name."""
    parts: list[bytes] = []
    position = 0
    for find in finds:
        parts.append(data[position : find.start])
        if keep_sizes:
            parts.append(filler(find.name, find.end - find.start))
        else:
            parts.append(placeholder(find.name, in_url=in_url or find.in_url))
        position = find.end
        counts[find.name] = counts.get(find.name, 0) + 1
    return b"".join([*parts, data[position:]])


def query_finds(finder: Finder, query: bytes, offset: int = 0) -> Iterator[Find]:
    """Yield the values of a query, or a form like one, whose parameter or field is a secret's."""
    for pair, at in _split(query, b"&", offset):
        found = list(_pair_finds(finder, pair, at))
        yield from found
        if not found:  # some servers take `;` for a separator too, and parameters may begin again
            for inner, inner_at in _split(pair, b"[;#?]", at):
                yield from _pair_finds(finder, inner, inner_at)


def _split(data: bytes, separators: bytes, offset: int) -> Iterator[tuple[bytes, int]]:
    for part in re.split(separators, data):
        yield part, offset
        offset += len(part) + 1


def _pair_finds(finder: Finder, pair: bytes, start: int) -> Iterator[Find]:
    name, equals, value = pair.partition(b"=")
    if equals and value:
        yield from _named(finder, unquote_to_bytes(name.replace(b"+", b" ")), value, start + len(name) + 1)


def _named(finder: Finder, name: bytes, value: bytes, start: int) -> Iterator[Find]:
    for parameter in finder.parameters.of(name)[:1]:
        yield Find(start, start + len(value), parameter.name, in_url=True)
        return
    for field in finder.fields.of(name)[:1]:
        kept = scheme(value) if field.keep_scheme else 0
        yield Find(start + kept, start + len(value), field.name)


def _finds(finder: Finder, content_type: str, text: bytes) -> tuple[list[Find], bool]:
    """Return the finds of a body, and whether it is a form, whose values are percent-encoded."""
    found = finder.find(text)
    kind = content_type.lower()
    if "x-www-form-urlencoded" in kind:
        return apart(text, [*query_finds(finder, text), *found]), True
    if "multipart/" in kind and (boundary := _boundary(content_type, text)):
        return apart(text, [*_part_finds(finder, text, boundary), *found]), False
    if _PAIRS.fullmatch(text):  # a form that does not say so
        return apart(text, [*query_finds(finder, text), *found]), False
    return found, False


def _boundary(content_type: str, text: bytes) -> bytes | None:
    """Return what stands between the parts: as it is named, or else as the first line has it."""
    named = _BOUNDARY.search(content_type)
    boundary = (named[1] or named[2]).encode() if named else b""
    if boundary and b"--" + boundary in text:
        return boundary
    first = _FIRST_LINE.match(text)
    return first[1] if first else None


def _part_finds(finder: Finder, text: bytes, boundary: bytes) -> Iterator[Find]:
    position = 0
    for part in text.split(b"--" + boundary):
        blank = _BLANK_LINE.search(part)
        if blank:
            value = part[blank.end() :].removesuffix(b"\n").removesuffix(b"\r")
            for name, *values in _PART_PARAMETER.findall(part[: blank.start()]):
                if name.lower() in (b"name", b"name*"):
                    spelled = b"".join(values).rpartition(b"''")[2]
                    yield from _named(finder, unquote_to_bytes(spelled), value, position + blank.end())
        position += len(part) + len(boundary) + 2
