"""Run all benchmarks, or those named, and print their rows as a table and as JSON lines."""

import json
import sys
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHMARKS = ("recorder", "replay", "analysis")
_COLUMNS = ("benchmark", "what", "measured", "limit")


def met(row: dict[str, Any]) -> bool:
    """Whether a row's measured figure is on the right side of its limit."""
    above = row["measured"] >= row["limit"]
    return bool(above if row["better"] == "higher" else row["measured"] <= row["limit"])


def main(names: list[str]) -> None:
    console = Console(stderr=True)
    rows: list[dict[str, Any]] = []
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            rows += import_module(f"benchmarks.{name}").run()
    table = Table(*_COLUMNS, "")
    for row in rows:
        unit = row.get("unit", "")
        limit, verdict = "", ""
        if row["limit"] is not None:
            limit = f"{'≥' if row['better'] == 'higher' else '≤'} {row['limit']:g} {unit}"
            verdict = "met" if met(row) else "MISSED"
        table.add_row(row["benchmark"], row["what"], f"{row['measured']:.3g} {unit}", limit, verdict)
    Console().print(table)
    for row in rows:
        print(json.dumps(row))


main(sys.argv[1:])
