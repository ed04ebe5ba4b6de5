"""Rules about events that have a type: in which order they come, and how blocks begin, go on and end."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._rule import Over, Running, Seen, at
from tokentape.dialects.rules._shown import shown


@dataclass(frozen=True, slots=True)
class Stage:
    """A part of a stream: events of these types. `needed`: it is never left out; `once`: one event is all."""

    types: tuple[str, ...]
    needed: bool = True
    once: bool = False

    def __str__(self) -> str:
        names = self.types if len(self.types) < 4 else (*self.types[:3], "...")
        return " or ".join(names)


@dataclass(frozen=True, slots=True)
class Stages:
    """A stream is these stages one after the other. Events of other types (a ping) come at any time."""

    stages: tuple[Stage, ...]

    def start(self) -> Running:
        return _Stages(self.stages)


class _Stages:
    def __init__(self, stages: tuple[Stage, ...]) -> None:
        self._stages = stages
        self._of = {kind: place for place, stage in enumerate(stages) for kind in stage.types}
        self._place = -1
        self._since = 0

    def see(self, seen: Seen) -> Iterator[Finding]:
        kind = seen.value.get("type")
        place = self._of.get(kind) if type(kind) is str else None
        if place is None:
            return
        now = self._place
        if place < now or (place == now and self._stages[now].once):
            later = " or ".join(str(stage) for stage in self._stages[now + 1 : now + 2]) or "nothing"
            expected = f"{later} after {self._stages[now]} of event {self._since}"
            yield Finding("out-of-order", seen.number, expected, shown(kind), "$.type")
        elif place > now:
            for missed in self._stages[now + 1 : place]:
                if missed.needed:
                    yield Finding("missing-event", seen.number, f"{missed} before", shown(kind), "$.type")
            self._place, self._since = place, seen.number

    def over(self, over: Over) -> Iterator[Finding]:
        # The last stage is the end mark, which has a rule of its own.
        for missed in self._stages[self._place + 1 : -1] if over.whole else ():
            if missed.needed:
                yield Finding("missing-event", over.last, str(missed), "none by the end", "$.type")


@dataclass(frozen=True, slots=True)
class Blocks:
    """A block begins, goes on and ends with events of these types, and is known by the fields in `key`.

    `alone`: one ends before the next begins, and they are numbered from 0. Without `inside`, what a block
    has inside is not looked at.
    """

    begins: str
    ends: str
    key: tuple[str, ...]
    inside: tuple[str, ...] = ()
    alone: bool = False

    def start(self) -> Running:
        return _Blocks(self)


class _Blocks:
    def __init__(self, rule: Blocks) -> None:
        self._rule = rule
        self._open: dict[tuple[Any, ...], int] = {}
        self._next = 0

    def see(self, seen: Seen) -> Iterator[Finding]:
        rule, kind = self._rule, seen.value.get("type")
        if kind not in (rule.begins, rule.ends, *rule.inside):
            return
        key = tuple([at(seen.value, name) for name in rule.key])
        if not all(type(part) is int for part in key):
            return  # a field that is missing or of another type is found as that
        path = f"$.{rule.key[-1]}"
        if kind == rule.begins:
            yield from self._begin(seen, key, path)
        elif key not in self._open:
            expected = f"{rule.begins} of {_named(rule.key, key)} before"
            yield Finding("block-not-open", seen.number, expected, shown(kind), path)
        elif kind == rule.ends:
            del self._open[key]

    def _begin(self, seen: Seen, key: tuple[Any, ...], path: str) -> Iterator[Finding]:
        rule = self._rule
        for other, number in list(self._open.items()):
            if rule.alone or other == key:
                expected = f"{rule.ends} of {_named(rule.key, other)}, which began in event {number}"
                yield Finding("block-left-open", seen.number, expected, rule.begins, path)
                del self._open[other]
        if rule.alone and key[0] != self._next:
            yield Finding("block-index", seen.number, str(self._next), str(key[0]), path)
        self._open[key] = seen.number
        self._next = key[0] + 1

    def over(self, over: Over) -> Iterator[Finding]:
        for key, number in self._open.items() if over.whole else ():
            expected = f"{self._rule.ends} of {_named(self._rule.key, key)}"
            yield Finding("block-left-open", number, expected, "none by the end", f"$.{self._rule.key[-1]}")


def _named(names: tuple[str, ...], key: tuple[Any, ...]) -> str:
    return ", ".join(f"{name} {part}" for name, part in zip(names, key, strict=True))
