"""How two requests differ, in a few lines that a person can act on."""

from collections.abc import Iterator
from typing import Any

from tokentape.cassette import parse_json
from tokentape.replay._wildcard import same_but_secrets

MAX_LINES = 10
_SHOWN = 60  # characters of a value


def body_differences(recorded: bytes, asked: bytes) -> list[str]:
    """Return a line for each place in which two request bodies differ; none if they are the same."""
    try:
        values = parse_json(recorded), parse_json(asked)
    except (ValueError, RecursionError):
        return [] if recorded == asked else [_bytes_difference(recorded, asked)]
    return list(_differences("body", *values))


def shortened(lines: list[str]) -> list[str]:
    """Return at most `MAX_LINES` lines; the last says how many were left out."""
    if len(lines) <= MAX_LINES:
        return lines
    return [*lines[: MAX_LINES - 1], f"... and {len(lines) - MAX_LINES + 1} more differences"]


def _differences(  # noqa: C901  (a case for each kind of value)
    place: str, recorded: Any, asked: Any
) -> Iterator[str]:
    match recorded, asked:
        case dict(), dict():
            for key in [*recorded, *(key for key in asked if key not in recorded)]:
                inner = f"{place}.{key}"
                if key not in asked:
                    yield f"{inner}: recorded {_shown(recorded[key])}, absent in the request"
                elif key not in recorded:
                    yield f"{inner}: absent in the recording, the request has {_shown(asked[key])}"
                else:
                    yield from _differences(inner, recorded[key], asked[key])
        case list(), list():
            for index, (one, other) in enumerate(zip(recorded, asked, strict=False)):
                yield from _differences(f"{place}[{index}]", one, other)
            if len(recorded) != len(asked):
                yield f"{place}: recorded {_counted(len(recorded), 'item')}, the request has {len(asked)}"
        case str(), str() if recorded != asked and not same_but_secrets(recorded, asked):
            start = _common(recorded, asked)
            where = f"{place} (from character {start})" if start >= _SHOWN else place
            skip = max(start - 10, 0) if start >= _SHOWN else 0
            yield f"{where}: recorded {_shown(recorded[skip:])}, the request has {_shown(asked[skip:])}"
        case str(), str():
            return
        case _ if type(recorded) is not type(asked) or recorded != asked:
            yield f"{place}: recorded {_shown(recorded)}, the request has {_shown(asked)}"


def _bytes_difference(recorded: bytes, asked: bytes) -> str:
    start = next(
        (i for i, (one, other) in enumerate(zip(recorded, asked, strict=False)) if one != other),
        min(len(recorded), len(asked)),
    )
    return (
        f"body (not JSON): recorded {_counted(len(recorded), 'byte')}, the request has {len(asked)}; "
        f"they differ from byte {start}"
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _common(one: str, other: str) -> int:
    """Return the length of the longest common prefix, in few steps of fast comparison."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _shown(value: Any) -> str:
    text = repr(value if not isinstance(value, str) else value[: _SHOWN + 1])
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
