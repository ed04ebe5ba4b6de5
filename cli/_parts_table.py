"""What is in the parts of a split cassette, as a table for people and as objects for JSON."""

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType

from tokentape.cassette import Part
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable

_COLUMNS = ("exchanges", "pieces", "body_bytes")


def parts_table(paths: Sequence[str], parts: Sequence[Part]) -> RenderableType:
    """Return a row for each part."""
    table = ShownTable([["file"]], [name.replace("_", " ") for name in _COLUMNS])
    for path, part in zip(paths, parts, strict=True):
        table.add([[safe_text(path)]], [f"{number:,}" for number in _numbers(part)])
    return table


def parts_objects(paths: Sequence[str], parts: Sequence[Part]) -> list[dict[str, Any]]:
    """Return an object for each part; `part` is the exchange, host or model as it is in the cassette."""
    return [
        {"file": path, "part": part.name, **dict(zip(_COLUMNS, _numbers(part), strict=True))}
        for path, part in zip(paths, parts, strict=True)
    ]


def _numbers(part: Part) -> tuple[int, int, int]:
    counts = part.counts
    return counts.exchanges, counts.chunks, counts.bytes
