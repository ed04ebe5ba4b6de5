"""Rules about values that stay the same from chunk to chunk, or only grow."""

from collections.abc import Iterator
from dataclasses import dataclass

from tokentape.dialects._carried import TOKEN
from tokentape.dialects._json import count_of
from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._rule import Over, Running, Seen, at
from tokentape.dialects.rules._shown import member, shown


def _path(names: tuple[str, ...]) -> str:
    path = "$"
    for name in names:
        path = member(path, name)
    return path


class _Watching:
    """What rules of one event have in common: nothing is left to say at the end."""

    __slots__ = ()

    def over(self, over: Over) -> Iterator[Finding]:  # noqa: ARG002
        return iter(())


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The value at a path is that of the first chunk that has one, in every chunk that has one."""

    code: str
    names: tuple[str, ...]

    def start(self) -> Running:
        return _Unchanged(self)


class _Unchanged(_Watching):
    __slots__ = ("_first", "_rule")

    def __init__(self, rule: Unchanged) -> None:
        self._rule = rule
        self._first: tuple[int, object] | None = None

    def see(self, seen: Seen) -> Iterator[Finding]:
        value = at(seen.value, *self._rule.names)
        if not value or type(value) in (dict, list):
            return  # what is "" or 0 stands for a value that is not known yet, and is found as that
        if self._first is None:
            self._first = seen.number, value
        elif value != self._first[1]:
            number, first = self._first
            expected = f"{shown(first)}, as in event {number}"
            yield Finding(self._rule.code, seen.number, expected, shown(value), _path(self._rule.names))


@dataclass(frozen=True, slots=True)
class Grows:
    """The count at a path is never less than before; `strictly`: always more.

    `with_text`: always more in a chunk that has generated text, with a code of its own.
    """

    code: str
    names: tuple[str, ...]
    strictly: bool = False
    with_text: str = ""

    def start(self) -> Running:
        return _Grows(self)


class _Grows(_Watching):
    __slots__ = ("_most", "_rule")

    def __init__(self, rule: Grows) -> None:
        self._rule = rule
        self._most: tuple[int, int] | None = None

    def see(self, seen: Seen) -> Iterator[Finding]:
        rule = self._rule
        value = count_of(at(seen.value, *rule.names))
        if value is None:
            return
        if self._most is not None:
            number, most = self._most
            code = ""
            if value < most or (value == most and rule.strictly):
                code = rule.code
            elif value == most and any(carried.carries & TOKEN for carried in seen.carried):
                code = rule.with_text
            if code:
                at_least = "at least" if code == rule.code and not rule.strictly else "more than"
                expected = f"{at_least} {most}, as in event {number}"
                yield Finding(code, seen.number, expected, str(value), _path(rule.names))
            if value <= most:
                return
        self._most = seen.number, value


@dataclass(frozen=True, slots=True)
class Total:
    """One count of an object is the sum of others, wherever all are there.

    `beside` is the path of a count that is a part too, where it is there.
    """

    names: tuple[str, ...]
    total: str
    parts: tuple[str, ...]
    beside: tuple[str, ...] = ()

    def start(self) -> Running:
        return _Total(self)


class _Total(_Watching):
    __slots__ = ("_rule",)

    def __init__(self, rule: Total) -> None:
        self._rule = rule

    def see(self, seen: Seen) -> Iterator[Finding]:
        rule = self._rule
        bill = at(seen.value, *rule.names)
        total = count_of(at(bill, rule.total))
        parts = [count_of(at(bill, part)) for part in rule.parts]
        counts = [part for part in parts if part is not None]
        whole = len(counts) == len(parts)
        beside = count_of(at(bill, *rule.beside)) if rule.beside else None
        counts += [beside] if beside else []
        if total is not None and whole and sum(counts) != total:
            expected = f"{' + '.join(map(str, counts))} = {sum(counts)}"
            path = _path((*rule.names, rule.total))
            yield Finding("usage-total", seen.number, expected, str(total), path)
