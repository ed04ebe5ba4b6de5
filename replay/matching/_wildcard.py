"""Requests that were recorded without their secrets: a placeholder stands for any text.

The live request has the secret. A request is one value, all of it that is compared (see `Compared`); the
strings in it that have placeholders are its wild places. All recorded requests with the
same wild places are found with one look: two requests are the same if they are without these strings,
and each of these strings matches.

Invariant: the text around a placeholder must be there; only the placeholder itself stands for anything.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

from tokentape.cassette import REDACTED

Place: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a string of a value."""

_REDACTED = re.compile(REDACTED.pattern.decode())
_BEGINS = re.compile(rb"(?:\[|%5B)redacted(?: |%20)")


def has_placeholder(data: bytes) -> bool:
    """Whether there may be a placeholder in some bytes; it costs little."""
    return _BEGINS.search(data) is not None


def wild_places(value: Any) -> frozenset[Place]:
    """Return where in a value the strings with placeholders are."""
    return frozenset(place for place, text in _strings(value, ()) if _REDACTED.search(text))


class Wildcard:
    """The recorded requests that have placeholders in the same places."""

    def __init__(self, places: frozenset[Place]) -> None:
        self._places = sorted(places, key=repr)
        self._recorded: dict[str, list[tuple[list[str], int]]] = {}

    def add(self, value: Any, index: int) -> None:
        """Add a recorded request, by its number."""
        without, texts = self._split(value)
        same = self._recorded.setdefault(without, [])
        if texts is not None and texts not in [known for known, _ in same]:
            same.append((texts, index))

    def match(self, value: Any) -> int | None:
        """Return the number of the first recorded request that is the same as a live one."""
        without, texts = self._split(value)
        if texts is not None:
            for known, index in self._recorded.get(without, ()):
                if all(same_but_secrets(one, other) for one, other in zip(known, texts, strict=True)):
                    return index
        return None

    def _split(self, value: Any) -> tuple[str, list[str] | None]:
        """Return a value without the strings at the wild places, and these; None if one is not there."""
        texts: list[str] = []
        for place in self._places:
            text = value
            for key in place:
                if isinstance(text, dict):
                    text = text.get(key)
                elif isinstance(text, list) and isinstance(key, int) and key < len(text):
                    text = text[key]
                else:
                    return "", None
            if not isinstance(text, str):
                return "", None
            texts.append(text)
        return json.dumps(_without(value, frozenset(self._places), ()), sort_keys=True), texts


def same_but_secrets(recorded: str, asked: str) -> bool:
    """Whether a text is a recorded one with something in the place of each placeholder."""
    first, *rest = _REDACTED.split(recorded)[::2]  # what is between are the names of the rules
    if not asked.startswith(first):
        return False
    if not rest:
        return asked == first
    *middle, last = rest
    position = len(first)
    for part in middle:
        position = asked.find(part, position)
        if position < 0:
            return False
        position += len(part)
    return len(asked) - len(last) >= position and asked.endswith(last)


def _strings(value: Any, place: Place) -> Iterator[tuple[Place, str]]:
    match value:
        case str():
            yield place, value
        case list():
            for index, item in enumerate(value):
                yield from _strings(item, (*place, index))
        case dict():
            for key, item in value.items():
                yield from _strings(item, (*place, key))


def _without(value: Any, places: frozenset[Place], place: Place) -> Any:
    match value:
        case str() if place in places:
            return None
        case list():
            return [_without(item, places, (*place, index)) for index, item in enumerate(value)]
        case dict():
            return {key: _without(item, places, (*place, key)) for key, item in value.items()}
        case _:
            return value
