"""Faults as people write them: `status=429,retry-after=2,model=gpt-4o,times=1`.

A fault is its kind, with a value and a place where it has them, and then options, all with commas between::

    fault  = kind ["=" value] ["@" unit "=" number] *("," option "=" value)

Every error is a `WrongFault` of one line: what was expected, what was found, and in which fault. Invariant:
what is read is all of the text; nothing is passed over.
"""

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

from tokentape.replay.faults._effects import (
    UNITS,
    DropDone,
    Dup,
    Effect,
    ErrorEvent,
    Garble,
    KeepaliveStall,
    Merge,
    Place,
    Reset,
    SlowStart,
    Split,
    Stall,
    Status,
    Truncate,
    Unit,
)
from tokentape.replay.faults._fault import Fault, Faulty, Scope
from tokentape.replay.timing._quantities import parse_span

_FIRST = re.compile(r"(?P<kind>[^=@]*)(?:=(?P<value>[^@]*))?(?:@(?P<unit>[^=]*)=(?P<number>[^=]*))?")
_WHOLE = re.compile(r"[0-9]{1,12}")
_NUMBER = re.compile(r"(?:[0-9]{1,3}(?:\.[0-9]{1,20})?|\.[0-9]{1,20})(?:e-[0-9]{1,3})?")

MAX_FAULTS = 100  # each may change every answer anew, while all streams wait
_MAX_CHARACTERS = 1_000


class WrongFault(ValueError):
    """A fault that cannot be read; the message is one line that says why."""


def parse_fault(text: str) -> Fault:
    """Return the fault that a text such as `stall=10s@event=4,times=1` spells.

    Raises `WrongFault`, a ValueError.
    """
    if not isinstance(text, str):
        raise WrongFault(f"expected a fault such as 'status=429,times=1', found {text!r}")
    if len(text) > _MAX_CHARACTERS:
        raise WrongFault(
            f"expected a fault of at most {_MAX_CHARACTERS} characters, found {len(text)}, which begin "
            f"with {text[:60]!r}"
        )
    try:
        first, *rest = [word.strip() for word in text.split(",")]
        options = _options(rest)
        effect = _effect(first, options)
        scope = Scope(
            **{_SCOPE[name].field: _SCOPE[name].read(name, value) for name, value in options.items()}
        )
    except ValueError as error:
        raise WrongFault(f"fault {text!r}: {error}") from None
    return Fault(effect=effect, scope=scope)


def faults_of(given: Iterable[Faulty]) -> tuple[Fault, ...]:
    """Return faults, some of which are spelled.

    Raises `WrongFault`, also for a text in place of a list, and for more than `MAX_FAULTS`.
    """
    if isinstance(given, str):
        raise WrongFault(f"expected a list of faults, found the text {given!r}; put it in brackets")
    if not isinstance(given, Iterable):
        raise WrongFault(f"expected a list of faults, found {given!r}")
    listed = list(given)
    if len(listed) > MAX_FAULTS:
        raise WrongFault(f"expected at most {MAX_FAULTS} faults in force, found {len(listed)}")
    return tuple(each if isinstance(each, Fault) else parse_fault(each) for each in listed)


def _options(words: list[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in (*_SCOPE, "retry-after"):
            expected = ", ".join(f"{name}=" for name in (*_SCOPE, "retry-after"))
            raise ValueError(
                f"expected an option ({expected}), found {word!r}; each fault stands alone, in a "
                "--fault or an item of a list"
            )
        if name in options:
            raise ValueError(f"expected {name}= once, found it twice")
        options[name] = value
    return options


def _effect(text: str, options: dict[str, str]) -> Effect:
    name = re.split("[=@]", text, maxsplit=1)[0]
    kind = _KINDS.get(name)
    if kind is None:
        near = get_close_matches(name.lower(), _KINDS, n=1)
        hint = f"; did you mean {_KINDS[near[0]].example}?" if near else ""
        raise ValueError(f"expected a kind of fault ({', '.join(_KINDS)}), found {name!r}{hint}")
    found = _FIRST.fullmatch(text)
    wanted = [kind.value is not None, bool(kind.units)]
    if found is None or wanted != [found[part] is not None for part in ("value", "unit")]:
        raise ValueError(f"expected {kind.form(name)}, found {text!r}")
    fields: dict[str, Any] = {}
    if kind.value is not None:
        fields[kind.value.field] = kind.value.read(name, found["value"])
    if kind.units:
        fields |= _placed(kind, found["unit"], found["number"])
    if "retry-after" in options:
        after = options.pop("retry-after")
        if name != "status":
            raise ValueError(f"expected retry-after= beside status=, found it beside {name}")
        fields["retry_after_s"] = _whole("retry-after", after)
    return kind.make(**fields)


def _placed(kind: "_Kind", name: str, number: str) -> dict[str, Any]:
    unit = next((each for each in kind.units if each == name), None)
    if unit is None:
        places = " or ".join(f"@{each}=" for each in kind.units)
        raise ValueError(f"expected a place {places}, found '@{name}='")
    count = parse_span(number) if unit == "time" else _whole(f"@{unit}", number)
    return {"event": count} if kind.units == _EVENT else {"at": Place(unit, count)}


def _whole(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{name}: expected a whole number of at most 12 digits, found {text!r}")
    return int(text)


def _probability(name: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name}: expected a probability above 0 and up to 1 such as 0.1, found {text!r}")
    return float(text)


class _Value(NamedTuple):
    """A field, and what reads it, given the name that it stands under."""

    field: str
    read: Callable[[str, str], Any]


class _Kind(NamedTuple):
    """How a kind of fault is written."""

    make: Callable[..., Effect]
    example: str
    value: _Value | None = None
    units: tuple[Unit, ...] = ()

    def form(self, name: str) -> str:
        """Return what is expected, with an example."""
        value = "" if self.value is None else "=..."
        places = " or ".join(f"{name}{value}@{unit}=..." for unit in self.units) or f"{name}{value}"
        return places if places == self.example else f"{places}, such as {self.example}"


_EVENT: tuple[Unit, ...] = ("event",)
_SPAN = _Value("span_ns", lambda _, text: parse_span(text))
_KINDS = {
    "status": _Kind(Status, "status=429", _Value("status", _whole)),
    "truncate": _Kind(Truncate, "truncate@event=5", units=UNITS),
    "reset": _Kind(Reset, "reset@byte=1200", units=UNITS),
    "stall": _Kind(Stall, "stall=10s@event=4", _SPAN, UNITS),
    "keepalive-stall": _Kind(KeepaliveStall, "keepalive-stall=10s@event=4", _SPAN, _EVENT),
    "garble": _Kind(Garble, "garble@event=2", units=_EVENT),
    "drop-done": _Kind(DropDone, "drop-done"),
    "dup": _Kind(Dup, "dup@event=3", units=_EVENT),
    "split": _Kind(Split, "split=1", _Value("max_bytes", _whole)),
    "merge": _Kind(Merge, "merge=4096", _Value("bytes", _whole)),
    "slow-start": _Kind(SlowStart, "slow-start=5s", _SPAN),
    "error-event": _Kind(ErrorEvent, "error-event@event=3", units=_EVENT),
}
KINDS = tuple(_KINDS)
"""What a spelling may begin with."""
_SCOPE = {
    "model": _Value("model", lambda _, text: text),
    "path": _Value("path", lambda _, text: text),
    "nth": _Value("nth", _whole),
    "times": _Value("times", _whole),
    "p": _Value("probability", _probability),
    "seed": _Value("seed", _whole),
}
