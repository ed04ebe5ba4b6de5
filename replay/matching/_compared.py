"""What of a request is compared: a value that is the same for requests that are the same.

Bodies are JSON, whatever their content-type says, or else what it says: forms and multipart are compared by
their fields, so that neither the boundary nor the order of different fields matters. All others, empty
ones too, are bytes. Invariant: requests are the same if and only if `digest` of their `Compared` is.
"""

import json
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, Literal, NamedTuple, TypeAlias
from urllib.parse import parse_qsl

from tokentape.cassette import header, parse_json
from tokentape.replay.matching._location import Location, without
from tokentape.replay.matching._matching import Matching
from tokentape.replay.matching._request_key import RequestKey

Kind: TypeAlias = Literal["JSON", "form", "multipart", "bytes"]
_spelled = json.JSONEncoder(sort_keys=True, separators=(",", ":")).encode  # one spelling for each value
_LOOKED_AT = 8192  # characters in which a binary file has a zero
_BOUNDARY = re.compile(r'boundary=(?:"([^"]+)"|([^\s";,]+))', re.IGNORECASE)
_DISPOSITION = re.compile(r"^content-disposition:(.*)", re.IGNORECASE | re.MULTILINE)
_PARAMETER = re.compile(r';\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))')


class Body(NamedTuple):
    """A body as a JSON value. What is no known kind is its bytes, each a character.

    `text` is the same for the same values: JSON in one spelling, or these characters.
    """

    kind: Kind
    value: Any
    text: str


class Compared(NamedTuple):
    """The parts of a request that are matched; those that are not are None, but for a method that is HEAD.

    An answer to HEAD has no body, whatever its head says: sent for another method, the client would wait for
    it, and the body of another answer would be taken for the answer to the next request (RFC 9112, 6.3).
    """

    method: str | None
    host: str | None
    path: str | None
    query: dict[str, list[str]] | None
    headers: dict[str, str]
    body: Body | None

    def as_value(self) -> Any:
        """Return it as a JSON value."""
        return [*self[:5], [self.body.kind, self.body.value] if self.body else None]

    def digest(self) -> bytes:
        """Return what is equal for the same requests."""
        found = blake2b(_spelled(self[:5]).encode(), digest_size=16)
        if self.body is not None:
            found.update(b" %b " % self.body.kind.encode() + self.body.text.encode("latin-1"))
        return found.digest()


def compared(key: RequestKey, matching: Matching, ignored: Sequence[Location]) -> Compared:
    """Return what of a request is compared. `ignored` are the locations of `matching.ignore`."""
    path, _, query = key.path.decode("latin-1").partition("?")
    return Compared(
        method=key.method if "method" in matching.match or key.method == "HEAD" else None,
        host=key.host if "host" in matching.match else None,
        path=path if "path" in matching.match else None,
        query=(_by_name(query.encode("latin-1")) if query else {}) if "query" in matching.match else None,
        headers={name: header(key.headers, name.encode()).strip() for name in matching.headers},
        body=body_of(key, ignored) if "body" in matching.match else None,
    )


def body_of(key: RequestKey, ignored: Sequence[Location] = ()) -> Body:
    """Return the body of a request, without what is ignored; one that is nested too deeply is bytes."""
    try:
        kind, value = _read(key)
        if kind != "bytes":
            value = without(value, ignored)
            return Body(kind, value, _spelled(value))
    except RecursionError:
        pass
    text = key.body.decode("latin-1")
    return Body("bytes", text, text)


def _read(key: RequestKey) -> tuple[Kind, Any]:
    try:
        return "JSON", parse_json(key.body)
    except ValueError:
        pass
    content_type = header(key.headers, b"content-type")
    text = key.body.decode("latin-1")
    if "multipart/" in content_type.lower() and (found := _BOUNDARY.search(content_type)):
        fields = _fields(text, found[1] or found[2])
        if fields is not None:
            return "multipart", fields
    if "x-www-form-urlencoded" in content_type.lower() and text:
        return "form", {name: _alone(values) for name, values in _by_name(key.body).items()}
    return "bytes", text


def _by_name(query: bytes) -> dict[str, list[str]]:
    """Return the values of each parameter, in their order. What is not UTF-8 stays apart from all that is."""
    found: dict[str, list[str]] = {}
    text = query.decode("utf-8", "surrogateescape")
    for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
        found.setdefault(name, []).append(value)
    return found


def _fields(text: str, boundary: str) -> dict[str, Any] | None:
    """Return the fields of a multipart body by name (RFC 7578); None if it is not whole."""
    _, *parts = f"\r\n{text}".split(f"\r\n--{boundary}")
    if not parts or not parts.pop().startswith("--"):
        return None
    found: dict[str, list[Any]] = {}
    for part in parts:
        head, blank, content = part.partition("\r\n\r\n")
        if not blank:
            return None
        name, file_name = _names(head)
        value = _content(head, content)
        if file_name is not None:
            value = {"filename": file_name, "content": _digested(value)}
        found.setdefault(name, []).append(value)
    return {name: _alone(values) for name, values in found.items()}


def _names(head: str) -> tuple[str, str | None]:
    """Return the names of a part's field and of its file, quoted or not (RFC 6266, 4.1); None for no file."""
    disposition = _DISPOSITION.search(head)
    given = _PARAMETER.findall(disposition[1]) if disposition else []
    found = {name.lower(): quoted or plain for name, quoted, plain in given}
    return found.get("name", ""), found.get("filename*", found.get("filename"))


def _content(head: str, content: str) -> Any:
    """Return what a part holds: a JSON value where its content-type says so, else its text."""
    if re.search(r"^content-type:\s*application/(?:\S+\+)?json", head, re.IGNORECASE | re.MULTILINE):
        try:
            return parse_json(content.encode("latin-1"))
        except ValueError:
            pass
    return content


def _digested(content: Any) -> Any:
    """Return what stands for a file's content: a digest of binary ones, slow to spell."""
    if not isinstance(content, str) or "\0" not in content[:_LOOKED_AT]:
        return content
    data = content.encode("latin-1")
    return {"bytes": len(data), "blake2b": blake2b(data, digest_size=16).hexdigest()}


def _alone(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else values
