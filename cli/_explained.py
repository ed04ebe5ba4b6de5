"""The schedules of exchanges, as tables for people or as JSON: what `replay --explain` prints."""

import json
import sys
from collections.abc import Iterator

import click

from tokentape.cli._lost import said_lost
from tokentape.cli._safe_text import safe_text
from tokentape.replay import Explained, Explanation, Fault, Timing, explain


def print_explanation(
    files: tuple[str, ...],
    timing: Timing,
    faults: tuple[Fault, ...],
    exchange: int | None,
    *,
    as_json: bool,
) -> None:
    """Print the schedules of the exchanges, or of those of a number; exit with 3 if a cassette is damaged."""
    found = explain(files, timing=timing, exchange=exchange, faults=faults)
    click.echo(explained_json(found) if as_json else explained_tables(found))
    if said_lost(found.lost):
        sys.exit(3)


def explained_json(found: Explanation) -> str:
    """Return a list of objects, one for each exchange; times count from the complete request."""
    return json.dumps([_as_object(each) for each in found.exchanges], indent=2)


def explained_tables(found: Explanation) -> str:
    """Return a table for each exchange."""
    return "\n\n".join("\n".join(_table(each)) for each in found.exchanges)


def _table(found: Explained) -> Iterator[str]:
    yield safe_text(f"{found.source}: {found.method} {found.path}")
    if not found.parts:
        yield safe_text(f"  is not served: {found.why_not}")
        return
    yield f"{'recorded ms':>14}{'due ms':>14}{'bytes':>10}"
    for part in found.parts:
        recorded = "" if part.recorded_ns is None else f"{part.recorded_ns / 1e6:.3f}"
        yield f"{recorded:>14}{part.due_ns / 1e6:14.3f}{part.bytes:10}  {part.what}"


def _as_object(found: Explained) -> dict[str, object]:
    parts = [
        {
            "recorded_ms": None if part.recorded_ns is None else part.recorded_ns / 1e6,
            "due_ms": part.due_ns / 1e6,
            "bytes": part.bytes,
            "what": part.what,
        }
        for part in found.parts
    ]
    names = {"source": found.source, "method": found.method, "path": found.path}
    return names | ({"parts": parts} if parts else {"parts": [], "why_not": found.why_not})
