"""What a documented chunk is, said as data: fields, which of them every chunk has, and what is in them.

A shape is one of the closed union `Shape`. `departures` walks a value along its shape. It goes no deeper
than the shape does, so that a value nested a million times costs no more than any other, and it yields
lazily, so that whoever asks can stop at as many as are worth telling.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from tokentape.dialects.rules._shown import member, shown


class Departure(NamedTuple):
    """Where a value is not as its shape says."""

    code: str
    path: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A value of some type. `fits` asks more of one that has it; what does not is found as `code`."""

    words: str
    types: tuple[type, ...]
    fits: Callable[[Any], bool] | None = None
    code: str = "wrong-type"


@dataclass(frozen=True, slots=True)
class OneOf:
    """A string that is one of these."""

    values: tuple[str, ...]
    code: str = "unknown-value"


@dataclass(frozen=True, slots=True)
class Maybe:
    """Null, or what the shape says."""

    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Items:
    """An array of such."""

    shape: "Shape"


@dataclass(frozen=True, slots=True)
class Fields:
    """An object. `has` are the fields that are always there, `may` the others; `open`: there may be more."""

    has: Mapping[str, "Shape"] = field(default_factory=dict)
    may: Mapping[str, "Shape"] = field(default_factory=dict)
    open: bool = False


@dataclass(frozen=True, slots=True)
class Tagged:
    """An object whose shape depends on the string in one of its fields. Those need not name that field."""

    key: str
    shapes: Mapping[str, Fields]
    code: str = "unknown-event"


@dataclass(frozen=True, slots=True)
class FinishReason:
    """A finish reason, or `before`, for none yet. Without `reasons` any string is one."""

    before: str | None
    reasons: tuple[str, ...] = ()


Shape: TypeAlias = Kind | OneOf | Maybe | Items | Fields | Tagged | FinishReason

ANY = Kind("anything", (object,))
TEXT = Kind("a string", (str,))
NAME = Kind("a string that is not empty", (str,), bool, "empty-value")
FLAG = Kind("true or false", (bool,))
COUNT = Kind("a count", (int,), lambda value: value >= 0)
NUMBER = Kind("a number", (int, float))
ARRAY = Kind("an array", (list,))
OBJECT = Kind("an object", (dict,))
SECONDS = Kind("Unix time in seconds", (int,), lambda value: 10**9 <= value < 10**11, "not-seconds")


def departures(value: Any, shape: Shape, path: str = "$") -> Iterator[Departure]:
    """Yield where a decoded JSON value is not as the shape says. Takes any value, and raises for none."""
    match shape:
        case Kind():
            yield from _kind(value, shape, path)
        case Maybe():
            yield from _maybe(value, shape, path)
        case OneOf():
            if value not in shape.values:
                code = shape.code if type(value) is str else "wrong-type"
                yield Departure(code, path, _words(shape), shown(value))
        case FinishReason():
            yield from _finish(value, shape, path)
        case Items():
            yield from _items(value, shape, path)
        case Fields():
            yield from _fields(value, shape, path)
        case Tagged():
            yield from _tagged(value, shape, path)


def _kind(value: Any, shape: Kind, path: str) -> Iterator[Departure]:
    if not _is_of(value, shape.types):
        yield Departure("wrong-type", path, shape.words, shown(value))
    elif shape.fits is not None and not shape.fits(value):
        yield Departure(shape.code, path, shape.words, shown(value))


def _maybe(value: Any, shape: Maybe, path: str) -> Iterator[Departure]:
    if value is None:
        return
    for found in departures(value, shape.shape, path):
        or_null = " or null" if found.path == path else ""
        yield found._replace(expected=found.expected + or_null)


def _items(value: Any, shape: Items, path: str) -> Iterator[Departure]:
    if type(value) is not list:
        yield Departure("wrong-type", path, _words(shape), shown(value))
        return
    for number, item in enumerate(value):
        yield from departures(item, shape.shape, f"{path}[{number}]")


def _is_of(value: Any, types: tuple[type, ...]) -> bool:
    return object in types or type(value) in types  # True is an int to isinstance


def _fields(value: Any, shape: Fields, path: str) -> Iterator[Departure]:
    if type(value) is not dict:
        yield Departure("wrong-type", path, "an object", shown(value))
        return
    for name, inner in shape.has.items():
        if name not in value:
            yield Departure("missing-field", member(path, name), _words(inner), "no such field")
    for name, item in value.items():
        known = shape.has.get(name) or shape.may.get(name)
        if known is not None:
            if not _fits(item, known):
                yield from departures(item, known, member(path, name))
        elif not shape.open:
            yield Departure("unknown-field", member(path, name), "no such field", shown(item))


def _fits(value: Any, shape: Shape) -> bool:
    """Whether a value without fields fits its shape: asked first, since nearly all do."""
    match shape:
        case Kind():
            return _is_of(value, shape.types) and (shape.fits is None or shape.fits(value))
        case OneOf():
            return value in shape.values
        case Maybe():
            return value is None
        case _:
            return False


def _tagged(value: Any, shape: Tagged, path: str) -> Iterator[Departure]:
    if type(value) is not dict:
        yield Departure("wrong-type", path, "an object", shown(value))
        return
    at = member(path, shape.key)
    tag = value.get(shape.key)
    if shape.key not in value:
        yield Departure("missing-field", at, "a string", "no such field")
    elif type(tag) is not str:
        yield Departure("wrong-type", at, "a string", shown(tag))
    elif tag not in shape.shapes:
        yield Departure(shape.code, at, "a documented type", shown(tag))
    else:
        known = shape.shapes[tag]
        yield from _fields(value, Fields(known.has, {shape.key: TEXT, **known.may}, known.open), path)


def _finish(value: Any, shape: FinishReason, path: str) -> Iterator[Departure]:
    if value == shape.before and type(value) is type(shape.before):
        return
    before = "null" if shape.before is None else '""'
    if value is None:
        yield Departure("null-finish", path, f"{before} until there is a reason", "null")
    elif type(value) is not str:
        yield Departure("wrong-type", path, "a finish reason", shown(value))
    elif value in ("", "null"):
        yield Departure("empty-finish", path, f"{before} until there is a reason", shown(value))
    elif shape.reasons and value not in shape.reasons:
        yield Departure("unknown-finish", path, " or ".join(map(shown, shape.reasons)), shown(value))


def _words(shape: Shape) -> str:
    match shape:
        case Kind():
            return shape.words
        case OneOf():
            return " or ".join(map(shown, shape.values))
        case Maybe():
            return f"{_words(shape.shape)} or null"
        case Items():
            return "an array"
        case FinishReason():
            return "a finish reason, or " + ("null" if shape.before is None else '""')
        case Fields() | Tagged():
            return "an object"
