"""How requests are matched with recorded ones: a value, the same for the library and the command.

Invariant: a `Matching` that exists is valid, and two that match by the same parts are equal.
"""

import re
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, get_args

from tokentape.replay.matching._location import parse_location

Order: TypeAlias = Literal["any", "recorded"]
Exhausted: TypeAlias = Literal["cycle", "last", "error"]

_PARTS = ("method", "host", "path", "query", "body")
_BY_DEFAULT = ("method", "path", "query", "body")
_HEADER = re.compile(r"header:([!#$%&'*+.^_`|~0-9a-z-]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Matching:
    """Which recorded exchange answers which request.

    `match` are the parts of a request that must be as recorded: `method`, `host` (with its port), `path`,
    `query`, `body`, and `header:NAME` for any header; none at all if whatever is asked gets the next answer.
    HEAD is a thing apart in any case: the answer to it has no body, and cannot be another's.
    `ignore` are locations of what does not matter in bodies (JSON, forms and multipart), as in `$.user`; see
    `_location`. With `order="recorded"` each request has to be the next that was recorded.
    `exhausted` says what follows the last answer of a request: the first again, the last again, or an error.

    Raises ValueError, which names what was expected, for anything else.
    """

    match: tuple[str, ...] = _BY_DEFAULT
    ignore: tuple[str, ...] = ()
    order: Order = "any"
    exhausted: Exhausted = "cycle"

    def __post_init__(self) -> None:
        given = _listed(self.match)
        parts = set() if given == ("none",) else {_part(name) for name in given}
        in_order = [*(name for name in _PARTS if name in parts), *sorted(parts - {*_PARTS})]
        object.__setattr__(self, "match", tuple(in_order))
        ignored = (self.ignore,) if isinstance(self.ignore, str) else self.ignore
        if not isinstance(ignored, list | tuple) or not all(isinstance(text, str) for text in ignored):
            raise ValueError(f"ignore: expected a list of locations such as $.user, found {ignored!r}")
        for location in ignored:
            parse_location(location)
        object.__setattr__(self, "ignore", tuple(dict.fromkeys(ignored)))
        if self.ignore and "body" not in parts:
            raise ValueError("expected body among what is matched, since locations in it are to be ignored")
        for name, value, allowed in (
            ("order", self.order, get_args(Order)),
            ("exhausted", self.exhausted, get_args(Exhausted)),
        ):
            if value not in allowed:
                raise ValueError(f"{name}: expected {' or '.join(allowed)}, found {value!r}")

    @classmethod
    def chosen(cls, matching: "Matching | None") -> "Matching":
        """Return what a function was given, or the default. Raises TypeError for what is no matching."""
        if matching is None:
            return cls()
        if not isinstance(matching, cls):
            raise TypeError(f"expected a Matching such as Matching(exhausted='error'), found {matching!r}")
        return matching

    @property
    def headers(self) -> tuple[str, ...]:
        """The names of the headers that are matched, in lower case."""
        return tuple(name.removeprefix("header:") for name in self.match if name.startswith("header:"))

    def with_host(self) -> "Matching":
        """Return the same that matches the host too, but where nothing is matched at all."""
        return replace(self, match=("host", *self.match)) if self.match else self


def _listed(names: object) -> tuple[str, ...]:
    found = names.split(",") if isinstance(names, str) else names
    if not isinstance(found, list | tuple) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"match: expected a list of names, found {names!r}")
    return tuple(name.strip() for name in found)


def _part(name: str) -> str:
    if name in _PARTS:
        return name
    if _HEADER.fullmatch(name):
        return name.lower()
    raise ValueError(f"match: expected {', '.join(_PARTS)}, header:NAME, or none alone; found {name!r}")
