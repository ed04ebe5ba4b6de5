"""How two requests differ, in a few lines that a person can act on."""

from collections.abc import Iterator
from typing import Any

from tokentape.cassette import counted
from tokentape.replay.matching._compared import Body, Compared
from tokentape.replay.matching._secrets import hidden, printable, shown_part, shown_target
from tokentape.replay.matching._wildcard import same_but_secrets

MAX_LINES = 10
_SHOWN = 60  # characters of a value
_MAX_PLACE = 200  # characters of where it is


def request_differences(recorded: Compared, asked: Compared) -> list[str]:
    """Return a line for each place in which two requests differ; none if they are the same.

    Nothing in the lines is obeyed by a terminal, and credentials are hidden.
    """
    lines = []
    if recorded.method != asked.method:
        methods = [method or "another" for method in (recorded.method, asked.method)]
        lines.append(f"method: recorded {methods[0]}, the request has {methods[1]}")
    if recorded.host != asked.host:
        lines.append(f"host: recorded {recorded.host}, the request has {asked.host or 'none'}")
    if not _same(recorded.path, asked.path):
        paths = [shown_target((path or "").encode("latin-1")) for path in (recorded.path, asked.path)]
        lines.append(f"path: recorded {paths[0]}, the request has {paths[1]}")
    lines += _found("query", _single(recorded.query), _single(asked.query))
    lines += _found("header", recorded.headers, asked.headers)
    if recorded.body is not None and asked.body is not None:
        lines += body_differences(recorded.body, asked.body)
    return [printable(line) for line in lines]


def body_differences(recorded: Body, asked: Body) -> list[str]:
    """Return a line for each place in which two request bodies differ; none if they are the same."""
    if recorded.kind == asked.kind and recorded.kind != "bytes":
        return _found("body", recorded.value, asked.value)
    if recorded.kind != asked.kind:
        return [f"body: recorded {_kind(recorded)}, the request has {_kind(asked)}"]
    return [] if _same(recorded.value, asked.value) else [_bytes_difference(recorded.value, asked.value)]


def _kind(body: Body) -> str:
    if body.kind != "bytes":
        return body.kind if body.kind == "JSON" else f"a {body.kind} body"
    return f"{counted(len(body.value), 'byte')} that is not JSON" if body.value else "none"


def _single(query: dict[str, list[str]] | None) -> dict[str, str | list[str]]:
    return {name: values[0] if len(values) == 1 else values for name, values in (query or {}).items()}


def _same(recorded: str | None, asked: str | None) -> bool:
    if recorded is None or asked is None:
        return recorded is asked
    return recorded == asked or same_but_secrets(recorded, asked)


def _found(place: str, recorded: Any, asked: Any) -> list[str]:
    try:
        return [f"{_bounded(where)}: {said}" for where, said in _differences(place, recorded, asked)]
    except RecursionError:
        return [f"{place}: nested too deeply to compare"]


def shortened(lines: list[str]) -> list[str]:
    """Return at most `MAX_LINES` lines; the last says how many were left out."""
    if len(lines) <= MAX_LINES:
        return lines
    return [*lines[: MAX_LINES - 1], f"... and {len(lines) - MAX_LINES + 1} more differences"]


def _differences(  # noqa: C901  (a case for each kind of value)
    place: str, recorded: Any, asked: Any, name: str = ""
) -> Iterator[tuple[str, str]]:
    match recorded, asked:
        case dict(), dict():
            for key in [*recorded, *(key for key in asked if key not in recorded)]:
                inner = f"{place}.{shown_part(key, 0, _SHOWN)}"
                if key not in asked:
                    yield inner, f"recorded {_shown(recorded[key], key)}, absent in the request"
                elif key not in recorded:
                    yield inner, f"absent in the recording, the request has {_shown(asked[key], key)}"
                else:
                    yield from _differences(inner, recorded[key], asked[key], key)
        case list(), list():
            for index, (one, other) in enumerate(zip(recorded, asked, strict=False)):
                yield from _differences(f"{place}[{index}]", one, other, name)
            if len(recorded) != len(asked):
                yield place, f"recorded {counted(len(recorded), 'item')}, the request has {len(asked)}"
        case str(), str() if not _same(recorded, asked):
            start = _common(recorded, asked)
            where = f"{_bounded(place)} (from character {start})" if start >= _SHOWN else place
            skip = max(start - 10, 0) if start >= _SHOWN else 0
            shown = [_shown(text, name, skip) for text in (recorded, asked)]
            yield where, f"recorded {shown[0]}, the request has {shown[1]}"
        case str(), str():
            return
        case _ if type(recorded) is not type(asked) or recorded != asked:
            yield place, f"recorded {_shown(recorded, name)}, the request has {_shown(asked, name)}"


def _bounded(place: str) -> str:
    """Return a place as a line can hold it: of one that is nested deeply, how it begins and ends."""
    if len(place) <= _MAX_PLACE:
        return place
    half = (_MAX_PLACE - 3) // 2
    return f"{place[:half]}...{place[-half:]}"


def _bytes_difference(recorded: str, asked: str) -> str:
    start = _common(recorded, asked)
    return (
        f"body (not JSON): recorded {counted(len(recorded), 'byte')}, the request has {len(asked)}; "
        f"they differ from byte {start}"
    )


def _common(one: str, other: str) -> int:
    """Return the length of the longest common prefix, in few steps of fast comparison."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _shown(value: Any, name: str, skip: int = 0) -> str:
    """Return a value as a line can hold it; of a text what follows the characters to skip."""
    safe = hidden(value, name)
    if isinstance(safe, str):
        text = repr(shown_part(safe, skip if safe == value else 0, _SHOWN + 1))
    else:
        text = shown_part(repr(safe), 0, _SHOWN + 1)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
