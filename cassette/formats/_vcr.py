"""vcrpy's cassettes, in YAML or JSON: requests and answers without any time, which `Request.times` says.

Read, and not written. The layouts are those of vcrpy 1.0 and later: `body: {string: ...}` for an answer,
text or binary, and the one that older versions wrote for httpx (`status_code`, `content`). Tags that make
Python objects are not obeyed, but for the few harmless ones that vcrpy itself reads.
"""

import json
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, BinaryIO

import yaml
from yaml.constructor import ConstructorError

from tokentape.cassette._exchanges import Exchange
from tokentape.cassette._reader import Entry
from tokentape.cassette._records import Chunk, End, Headers, Request, Response
from tokentape.cassette.formats._assembly import Assembly, Redact
from tokentape.cassette.formats._errors import NotTheFormat
from tokentape.cassette.formats._plain import headers_of, is_encoded, target_of, without_coding
from tokentape.cassette.formats._shown import shown

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:python/"
MAX_DEPTH = 100
"""Levels of lists and mappings; an interaction has some seven."""

_VERSIONS = {9: "HTTP/0.9", 10: "HTTP/1.0", 11: "HTTP/1.1", 20: "HTTP/2.0"}


class _Loader(_Base):  # type: ignore[misc]
    """Safe; knows beside YAML's own types what vcrpy writes for text, tuples, files and iterators.

    libyaml's composer calls itself for each level, with no bound but the C stack. It tells of each level
    that it enters, so that the depth is bounded here.
    """

    _depth = 0

    def descend_resolver(self, current_node: Any, current_index: Any) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise yaml.YAMLError(f"expected at most {MAX_DEPTH} levels, found more")
        super().descend_resolver(current_node, current_index)

    def ascend_resolver(self) -> None:
        self._depth -= 1
        super().ascend_resolver()


def _state(loader: Any, node: Any) -> Any:
    """Return the content of a `BytesIO`."""
    return (loader.construct_mapping(node, deep=True).get("state") or (b"",))[0]


def _joined(loader: Any, node: Any) -> Any:
    """Return what an iterator gave."""
    parts: list[Any] = (loader.construct_mapping(node, deep=True).get("args") or ([],))[0]
    return b"".join(_bytes("request.body", part) for part in parts)


_Loader.add_constructor(f"{_TAG}str", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor(f"{_TAG}unicode", lambda loader, node: loader.construct_scalar(node))
_Loader.add_constructor(f"{_TAG}tuple", lambda loader, node: loader.construct_sequence(node))
_Loader.add_constructor(f"{_TAG}object/new:_io.BytesIO", _state)
_Loader.add_constructor(f"{_TAG}object/apply:builtins.iter", _joined)


def read(file: BinaryIO, name: str, lost: list[str], redact: Redact | None = None) -> Iterator[Entry]:
    """Yield the records of a cassette of vcrpy; `lost` gets a line for each interaction that is none.

    Raises `NotTheFormat` if it is something else.
    """
    interactions = _interactions(file.read(), name, lost)
    assembly = Assembly(imported_from="vcrpy", program="vcrpy", redact=redact)
    for number, found in enumerate(interactions):
        try:
            assembly.add_other(_exchange_of(found), None)
        except ValueError as error:
            lost.append(f"{name}: interaction {number}: {error}")
    yield from assembly.entries()


def _interactions(data: bytes, name: str, lost: list[str]) -> list[Any]:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotTheFormat(f"{name}: expected a cassette of vcrpy, which is UTF-8: {error}") from None
    try:
        found = _parsed(text, name)
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        found = _without_last(text, name)
        if found is None:
            reason = " ".join(_reason(error).split())
            raise NotTheFormat(f"{name}: expected a cassette of vcrpy: {reason}") from None
    if isinstance(found, list) and found and isinstance(found[0], dict) and "request" in found[0]:
        raise NotTheFormat(
            f"{name}: a cassette of vcrpy before 1.0; migrate it first: python3 -m vcr.migration {name}"
        )
    interactions = found.get("interactions") if isinstance(found, dict) else None
    if not isinstance(interactions, list):
        raise NotTheFormat(f"{name}: expected a cassette of vcrpy with interactions, found none")
    if "version" not in found:  # vcrpy writes it last
        lost.append(
            f"{name}: it is cut off after interaction {len(interactions) - 1}, which may not be whole"
        )
    return interactions


def _reason(error: Exception) -> str:
    """Return what is wrong, without the text around it that the loader in Python shows: it may be secret."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem and error.problem_mark:
        return f"{error.problem} in line {error.problem_mark.line + 1}"
    return str(error)


def _parsed(text: str, name: str) -> Any:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            if not name.lower().endswith((".yaml", ".yml")):
                raise  # else it may be a mapping in YAML's braces
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (it is a safe one)


def _without_last(text: str, name: str) -> Any:
    """Return what a cassette holds that was cut off in its last interaction; None if that is nothing."""
    whole, cut, _ = text.rpartition("\n- ")
    try:
        found = _parsed(whole + "\n", name) if cut else None
    except (yaml.YAMLError, ConstructorError, ValueError, RecursionError, TypeError, AttributeError):
        return None
    return found if isinstance(found, dict) and isinstance(found.get("interactions"), list) else None


def _exchange_of(found: Any) -> Exchange:
    """Return the exchange of an interaction. Raises ValueError if it is none."""
    asked, answer = _part(found, "request"), _part(found, "response")
    scheme, host, port, path = target_of(_text("request.uri", asked.get("uri")))
    request = Request(
        exchange=0,
        t=0,
        t_end=0,
        method=_text("request.method", asked.get("method")),
        scheme=scheme,
        host=host,
        port=port,
        path=path,
        http_version="HTTP/1.1",
        headers=_headers("request.headers", asked.get("headers")),
        body=_body("request.body", asked.get("body")),
        connection="",
        times="none",
    )
    if "status_code" in answer:
        status, reason, body = answer["status_code"], "", _body("response.content", answer.get("content"))
    else:
        line = _part(answer, "status", "response.status")
        status, reason = line.get("code"), line.get("message") or ""
        body = _body("response.body", answer.get("body"))
    if type(status) is not int or not 100 <= status <= 999:
        raise ValueError(f"response.status: expected a number such as 200, found {shown(status)}")
    version: Any = answer.get("http_version", answer.get("version"))
    exchange = Exchange(section_index=0, section=None, number=0, request=request)
    exchange.response = Response(
        exchange=0,
        t=0,
        status=status,
        reason=str(reason).encode("utf-8", "replace"),
        http_version=version if isinstance(version, str) else _VERSIONS.get(version, "HTTP/1.1"),
        headers=_headers("response.headers", answer.get("headers")),
    )
    exchange.chunks = [Chunk(exchange=0, t=0, data=body)] if body else []
    exchange.end = End(exchange=0, t=0, reason="complete", chunks=len(exchange.chunks), bytes=len(body))
    # Where an answer was decoded before it was stored, its header may still say otherwise.
    return exchange if is_encoded(exchange.response.headers, body) else without_coding(exchange)


def _part(found: Any, name: str, place: str = "") -> dict[str, Any]:
    value = found.get(name) if isinstance(found, dict) else None
    if not isinstance(value, dict):
        raise ValueError(  # noqa: TRY004  (wrong data, no wrong call)
            f"{place or name}: expected a mapping, found {shown(value)}"
        )
    return value


def _headers(name: str, found: Any) -> Headers:
    """Return headers from a mapping to a value or a list of them."""
    if found is None:
        return ()
    if not isinstance(found, dict):
        raise ValueError(  # noqa: TRY004
            f"{name}: expected a mapping, found {shown(found)}"
        )
    return headers_of(
        (_text(name, key), _text(name, value))
        for key, values in found.items()
        for value in (values if isinstance(values, list | tuple) else [values])
    )


def _body(name: str, found: Any) -> bytes:
    if isinstance(found, dict):
        if "base64_string" in found:
            return b64decode(_bytes(name, found["base64_string"]))
        if "string" in found:
            found = found["string"]
    return _bytes(name, found)


def _bytes(name: str, value: Any) -> bytes:
    match value:
        case None:
            return b""
        case bytes():
            return value
        case str():
            return value.encode("utf-8", "surrogatepass")
        case dict() | list():  # a body that a filter of the user's has parsed
            return json.dumps(value).encode()
        case _:
            raise ValueError(f"{name}: expected text or bytes, found {shown(value)}")


def _text(name: str, value: Any) -> str:
    match value:
        case str():
            return value
        case bytes():
            return value.decode("utf-8", "replace")
        case int() | float():
            return str(value)
        case _:
            raise ValueError(f"{name}: expected text, found {shown(value)}")
