"""Places in a JSON value, written as in JSONPath (RFC 9535): `$.user`, `$.messages[*].id`, `$..request_id`.

What can be written: names (`.name`, `['any name']`), indexes (`[0]`, `[-1]`), all children (`.*`, `[*]`) and
each of these at any depth below (`..name`, `..*`, `..[0]`). Filters, slices and lists of selectors cannot.
This is a small part, of our own, because it is wanted to take values away while streams are paced: all
locations together cost one walk over the value, whatever they are, where the node lists of the RFC grow
beyond measure for `$..*..*..*`; and because the libraries for all of it bring regular expressions as
compiled packages into every environment that tests run in.

Invariant: what is left of a value is the same value for every order and repetition of the locations.
"""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias


class Step(NamedTuple):
    """One step of a location: to a name or an index, or to all children if it is None.

    `deep` is whether it may be taken from any depth below.
    """

    to: str | int | None
    deep: bool


Location: TypeAlias = tuple[Step, ...]

_STEP = re.compile(
    r"""(?P<deep>\.\.)?(?:
        (?(deep)|\.)(?:(?P<name>[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*)|(?P<all>\*))
      | \[\s*(?:(?P<index>0|-?[1-9][0-9]{0,8})|(?P<every>\*)
             |'(?P<single>(?:[^'\\]|\\['"\\])*)'|"(?P<double>(?:[^"\\]|\\['"\\])*)")\s*\]
    )""",
    re.VERBOSE,
)


def parse_location(text: str) -> Location:
    """Return the steps of a location. Raises ValueError, with the place, for what is none."""
    expected = "expected a location such as $.user, $.messages[*].id or $..request_id"
    if not text.startswith("$"):
        raise ValueError(f"{expected}, found {text!r}, which does not begin with $")
    if text == "$":
        raise ValueError(f"{expected}, found '$', which is all: match without body instead")
    steps = []
    position = 1
    while position < len(text):
        found = _STEP.match(text, position)
        if found is None:
            raise ValueError(
                f"{expected}, found {text!r}, in which {text[position:]!r} is no name, index or *; "
                "filters, slices and lists are not known here"
            )
        steps.append(Step(_target(found), found["deep"] is not None))
        position = found.end()
    return tuple(steps)


def _target(found: re.Match[str]) -> str | int | None:
    if found["name"] is not None:
        return found["name"]
    if found["index"] is not None:
        return int(found["index"])
    for quoted in (found["single"], found["double"]):
        if quoted is not None:
            return re.sub(r"\\(.)", r"\1", quoted)
    return None


def without(value: Any, locations: Sequence[Location]) -> Any:
    """Return a JSON value without what stands at the locations; the value given stays as it is.

    Raises RecursionError if it is nested too deeply.
    """
    return _without(value, frozenset(locations)) if locations else value


def _without(value: Any, ways: frozenset[Location]) -> Any:
    """`ways` are the steps that are still to be taken from here, of every location that leads here."""
    if isinstance(value, dict):
        left = {}
        for key, item in value.items():
            further = _further(ways, key, len(value))
            if further is not None:
                left[key] = _without(item, further) if further else item
        return left
    if isinstance(value, list):
        kept = []
        for index, item in enumerate(value):
            further = _further(ways, index, len(value))
            if further is not None:
                kept.append(_without(item, further) if further else item)
        return kept
    return value


def _further(ways: frozenset[Location], key: str | int, size: int) -> frozenset[Location] | None:
    """Return the steps that are left after the one to a child; None if the child is where a location ends."""
    further = set()
    for way in ways:
        step = way[0]
        if step.deep:
            further.add(way)
        if step.to is None or step.to == key or (isinstance(key, int) and step.to == key - size):
            if len(way) == 1:
                return None
            further.add(way[1:])
    return frozenset(further)
