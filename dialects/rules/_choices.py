"""Rules about the choices of an answer: who speaks first, how each finishes, and what follows that."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from tokentape.dialects._carried import ERROR, FINISH, NO_CHOICE, TOKEN, name_of
from tokentape.dialects._json import dict_of, list_of
from tokentape.dialects.rules._finding import Finding
from tokentape.dialects.rules._rule import Over, Running, Seen
from tokentape.dialects.rules._shown import shown

_MOST_CHOICES = 2**12


def choices_of(value: dict[str, Any], name: str) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """Yield the place of each choice in its array, its number, and itself; of no more than a few thousand."""
    for place, each in enumerate(list_of(value.get(name))[:_MOST_CHOICES]):
        choice = dict_of(each)
        index = choice.get("index", place)
        yield place, index if type(index) is int else place, choice


@dataclass(frozen=True, slots=True)
class Finishes:
    """Every choice finishes once, and nothing of it comes afterwards.

    `last` is what the delta of the finishing chunk is where the document says that: `no-fields`, or
    `empty-content` (a `content` of ""). The chunks before it have text then, but for one with no more
    than the role. `usage_after`: an empty delta may come afterwards, beside the usage.
    """

    last: Literal["", "no-fields", "empty-content"] = ""
    usage_after: bool = False

    def start(self) -> Running:
        return _Finishes(self.last, usage_after=self.usage_after)


class _Finishes:
    def __init__(self, last: str, *, usage_after: bool) -> None:
        self._last = last
        self._usage_after = usage_after
        self._finished: dict[int, int] = {}
        self._open: dict[int, int] = {}  # with the last event of each
        self._followed: set[int] = set()

    def see(self, seen: Seen) -> Iterator[Finding]:
        for carried in seen.carried:
            choice = carried.choice
            if choice == NO_CHOICE or carried.carries & ERROR:
                continue
            finished = self._finished.get(choice)
            if finished is not None:
                yield from self._after(seen, carried.carries, carried.finish, choice, finished)
            elif carried.carries & FINISH:
                self._finished[choice] = seen.number
                self._open.pop(choice, None)
            else:
                self._open[choice] = seen.number
        if self._last:
            yield from self._deltas(seen)

    def _after(
        self, seen: Seen, carries: int, finish: str | None, choice: int, finished: int
    ) -> Iterator[Finding]:
        over = f"nothing more of choice {choice}, which finished in event {finished}"
        if carries & TOKEN:
            kind = name_of(carries & TOKEN)
            yield Finding("content-after-finish", seen.number, over, kind, choice=choice)
        if carries & FINISH:
            yield Finding("two-finishes", seen.number, over, f"finish {shown(finish)}", choice=choice)
        elif self._usage_after and not carries & TOKEN and type(seen.value.get("usage")) is dict:
            return
        elif not carries & TOKEN and choice not in self._followed:
            self._followed.add(choice)
            expected, found = "the last chunk of its choice", f"another in event {seen.number}"
            yield Finding("finish-not-last", finished, expected, found, choice=choice)

    def _deltas(self, seen: Seen) -> Iterator[Finding]:
        carries = {each.choice: each.carries for each in seen.carried}
        for place, choice, each in choices_of(seen.value, "choices"):
            delta = each.get("delta")
            path = f"$.choices[{place}].delta"
            kinds = carries.get(choice, 0)
            if not kinds & FINISH:
                has_role = self._last == "no-fields" and dict_of(delta).get("role")
                if type(delta) is dict and not kinds & TOKEN and not has_role and choice in self._open:
                    yield Finding("empty-delta", seen.number, "generated text", shown(delta), path, choice)
            elif self._last == "no-fields" and delta != {}:
                found = shown(delta)
                yield Finding("finish-with-content", seen.number, "an empty object", found, path, choice)
            elif self._last == "empty-content" and dict_of(delta).get("content", "") != "":
                found, path = shown(dict_of(delta)["content"]), f"{path}.content"
                yield Finding("finish-with-content", seen.number, '""', found, path, choice)

    def over(self, over: Over) -> Iterator[Finding]:
        if over.whole:
            for choice, number in sorted(self._open.items()):
                yield Finding("no-finish", number, "a finish reason by the end", "none", choice=choice)


@dataclass(frozen=True, slots=True)
class RoleFirst:
    """The first chunk of each choice has the role `assistant`.

    `alone`: that chunk has a `content` of "" beside it and no generated text, and no later one has a role.
    """

    alone: bool = False

    def start(self) -> Running:
        return _RoleFirst(self.alone)


class _RoleFirst:
    def __init__(self, alone: bool) -> None:
        self._alone = alone
        self._first: dict[int, int] = {}

    def see(self, seen: Seen) -> Iterator[Finding]:
        texts = {each.choice for each in seen.carried if each.carries & TOKEN}
        for place, choice, each in choices_of(seen.value, "choices"):
            role = dict_of(each.get("delta")).get("role")
            path = f"$.choices[{place}].delta"
            first = self._first.setdefault(choice, seen.number)
            if first != seen.number:
                if self._alone and role is not None:
                    expected = f"a role in event {first} alone"
                    yield Finding("role-repeated", seen.number, expected, shown(role), f"{path}.role", choice)
                continue
            if role != "assistant":
                found = "none" if role is None else shown(role)
                yield Finding("role-missing", seen.number, '"assistant"', found, f"{path}.role", choice)
            if self._alone and choice in texts:
                yield Finding(
                    "first-with-content", seen.number, 'a content of ""', "generated text", path, choice
                )
            elif self._alone and dict_of(each.get("delta")).get("content") != "":
                yield Finding("missing-field", seen.number, '""', "none", f"{path}.content", choice)

    def over(self, over: Over) -> Iterator[Finding]:  # noqa: ARG002
        return iter(())


@dataclass(frozen=True, slots=True)
class UsageAlone:
    """Usage comes in a chunk of its own, the last, whose choices are empty; no other chunk has no choices.

    `beside_choices`: it may come in a chunk with choices as well.
    """

    beside_choices: bool = False

    def start(self) -> Running:
        return _UsageAlone(beside_choices=self.beside_choices)


class _UsageAlone:
    def __init__(self, *, beside_choices: bool) -> None:
        self._beside_choices = beside_choices
        self._alone = 0
        self._any = False

    def see(self, seen: Seen) -> Iterator[Finding]:
        usage, choices = seen.value.get("usage"), seen.value.get("choices")
        if self._alone:
            found = f"a chunk after it, event {seen.number}"
            yield Finding("usage-not-last", self._alone, "the last chunk", found, "$.usage")
            self._alone = 0
        if type(usage) is dict:
            self._any = True
            if choices == []:
                self._alone = seen.number
            elif type(choices) is list and not self._beside_choices:
                found = f"usage beside {len(choices)} choice{'s' * (len(choices) != 1)}"
                yield Finding("usage-misplaced", seen.number, "a chunk without choices", found, "$.usage")
        elif choices == []:
            yield Finding("empty-choices", seen.number, "choices, or usage", "neither", "$.choices")

    def over(self, over: Over) -> Iterator[Finding]:
        asked = dict_of(over.asked.get("stream_options")).get("include_usage") is True
        if asked and over.whole and not self._any:
            expected = "usage, since stream_options.include_usage is true"
            yield Finding("usage-missing", over.last, expected, "none", "$.usage")
