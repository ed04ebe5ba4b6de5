"""The rules: what counts as a secret, read from TOML. A rule that is wrong is refused with its place.

The invariant: what `load` returns can be applied without any error, in time linear in the text if its
regexes have bounded quantifiers.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from os import PathLike, fspath
from typing import Any, Generic, TypeVar

import msgspec

_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_SEPARATORS = b"-_. []"
_REMEMBERED_NAMES = 10_000


class RulesError(ValueError):
    """A file of rules is not one; the message is one line: the file, the rule, what is wrong."""


class Header(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Headers whose value is a secret; `keep_scheme` leaves `Bearer` and the like."""

    name: str
    headers: tuple[str, ...]
    keep_scheme: bool = False


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Parameters of a query or a form whose value is a secret."""

    name: str
    parameters: tuple[str, ...]


class Field(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Fields of JSON whose value is a secret, if it matches `value`."""

    name: str
    fields: tuple[str, ...]
    value: str = ""
    keep_scheme: bool = False


class Shape(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is a secret by how it looks. Without `starts`, all of the text is searched with the regex.

    With `decoded`, the secret has to be base64 of what matches this.
    """

    name: str
    regex: str
    decoded: str = ""
    starts: tuple[str, ...] = ()
    inside_words: bool = False
    in_url: bool = False


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    header: tuple[Header, ...] = ()
    parameter: tuple[Parameter, ...] = ()
    field: tuple[Field, ...] = ()
    shape: tuple[Shape, ...] = ()


AnyRule = TypeVar("AnyRule", Header, Parameter, Field)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A list of rules. Lists are joined with `+`; in front counts first."""

    headers: tuple[Header, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    fields: tuple[Field, ...] = ()
    shapes: tuple[Shape, ...] = ()

    def __add__(self, other: "Rules") -> "Rules":
        return Rules(
            headers=self.headers + other.headers,
            parameters=self.parameters + other.parameters,
            fields=self.fields + other.fields,
            shapes=self.shapes + other.shapes,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The name of each rule, once, in their order."""
        every: tuple[Header | Parameter | Field | Shape, ...] = (
            *self.headers,
            *self.parameters,
            *self.fields,
            *self.shapes,
        )
        return tuple(dict.fromkeys(rule.name for rule in every))


@cache
def default_rules() -> Rules:
    """Return the rules that are in force unless something else is asked for."""
    return parse_rules(files(__package__).joinpath("rules.toml").read_bytes(), source="rules.toml")


def load_rules(path: str | PathLike[str]) -> Rules:
    """Read a file of rules. Raises `RulesError` if it is not one, OSError if it cannot be read."""
    with open(path, "rb") as file:
        return parse_rules(file.read(), source=fspath(path))


def parse_rules(data: bytes, *, source: str) -> Rules:
    """Return the rules in TOML. Raises `RulesError`, which names `source`, the rule and what is wrong."""
    try:
        tables = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RulesError(f"{source}: expected TOML: {error}") from None
    for kind, entries in tables.items():
        for number, entry in enumerate(entries if isinstance(entries, list) else [entries], 1):
            _check_table(source, kind, number, entry)
    found = msgspec.convert(tables, _File)
    return Rules(headers=found.header, parameters=found.parameter, fields=found.field, shapes=found.shape)


def pattern_rules(patterns: Iterable[str]) -> Rules:
    """Return shapes from `NAME=REGEX`; they are found anywhere, also inside of words.

    Raises `RulesError`, which says what is wrong with which.
    """
    tables = []
    for number, pattern in enumerate(patterns, 1):
        name, _, regex = pattern.partition("=")
        if not regex or not _NAME.fullmatch(name):  # what was found is not shown: it may be the secret itself
            raise RulesError(
                f"--pattern number {number}: expected NAME=REGEX such as customer='ACME-[0-9]{{6}}', "
                "where NAME is of lower case letters, digits and hyphens"
            )
        tables.append({"name": name, "regex": regex, "inside_words": True})
        _check_table("--pattern", "shape", number, tables[-1])
    return Rules(shapes=msgspec.convert(tables, tuple[Shape, ...]))


def _check_table(source: str, kind: str, number: int, entry: Any) -> None:
    """Raise `RulesError` unless it is a rule."""
    named = isinstance(entry, dict) and isinstance(entry.get("name"), str)
    where = f"{source}: [[{kind}]] number {number}" + (f" ({entry['name']})" if named else "")
    types = {"header": Header, "parameter": Parameter, "field": Field, "shape": Shape}
    if kind not in types:
        raise RulesError(f"{source}: expected the tables {', '.join(types)}; found {kind!r}")
    try:
        rule = msgspec.convert(entry, types[kind])
    except msgspec.ValidationError as error:
        raise RulesError(f"{where}: {error}") from None
    if not _NAME.fullmatch(rule.name) or len(rule.name) > 40:
        raise RulesError(
            f"{where}: expected a name of lower case letters, digits and hyphens; found {rule.name!r}"
        )
    match rule:
        case Shape():
            _compiled(where, "regex", rule.regex)
            if rule.decoded:
                _compiled(where, "decoded", rule.decoded)
            if not all(rule.starts):
                raise RulesError(f"{where}: expected literal beginnings in `starts`, found an empty one")
        case Field() if rule.value:
            _compiled(where, "value", rule.value)


def _compiled(where: str, key: str, regex: str) -> re.Pattern[bytes]:
    try:
        compiled = bytes_regex(regex)
    except (re.error, OverflowError, RecursionError) as error:
        raise RulesError(f"{where}: {key} is not a regular expression: {error}") from None
    if compiled.match(b""):
        raise RulesError(f"{where}: {key} matches the empty text, so it would be found everywhere")
    if not regex.isascii() and "[" in regex:
        raise RulesError(f"{where}: {key} has letters beyond ASCII beside a set; write (?:ä|ö) for [äö]")
    return compiled


@cache
def bytes_regex(regex: str) -> re.Pattern[bytes]:
    """Return a regex over UTF-8."""
    return re.compile(regex.encode())


def plain_name(name: bytes) -> bytes:
    """Return a name as names are compared: in lower case, without separators."""
    return name.lower().translate(None, _SEPARATORS)


@dataclass(slots=True)
class Names(Generic[AnyRule]):
    """Finds the rule for the name of a header, parameter or field; the first that has it."""

    rules: tuple[AnyRule, ...]
    _known: dict[bytes, tuple[AnyRule, ...]] = field(default_factory=dict)
    _patterns: list[tuple[re.Pattern[bytes], AnyRule]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for rule in self.rules:
            alternatives = [
                re.escape(plain_name(name.encode())).replace(rb"\*", b".*") for name in _names_of(rule)
            ]
            if alternatives:
                self._patterns.append((re.compile(b"|".join(alternatives), re.DOTALL), rule))

    def of(self, name: bytes) -> tuple[AnyRule, ...]:
        """Return the rules for a name, as it was spelled."""
        found = self._known.get(name)
        if found is None:
            plain = plain_name(name)
            found = tuple(rule for pattern, rule in self._patterns if pattern.fullmatch(plain))
            if len(self._known) < _REMEMBERED_NAMES:
                self._known[name] = found
        return found


def _names_of(rule: Header | Parameter | Field) -> tuple[str, ...]:
    match rule:
        case Header():
            return rule.headers
        case Parameter():
            return rule.parameters
        case Field():
            return rule.fields
