"""Run all benchmarks, or those named: JSON lines as they are measured, then a table of all.

Exits with 1 if a limit was missed.
"""

import json
import sys
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table

BENCHMARKS = ("recorder", "stamps", "memory", "replay", "replay_memory", "analysis")
_COLUMNS = ("benchmark", "what", "measured", "limit")


def met(row: dict[str, Any]) -> bool:
    """Whether a row's measured figure is on the right side of its limit, if it has one."""
    if row["limit"] is None:
        return True
    above = row["measured"] >= row["limit"]
    return bool(above if row["better"] == "higher" else row["measured"] <= row["limit"])


def main(names: list[str]) -> bool:
    """Measure and print; return whether every limit was met."""
    console = Console(stderr=True)
    rows: list[dict[str, Any]] = []
    for name in names or BENCHMARKS:
        with console.status(f"measuring {name}"):
            found = import_module(f"benchmarks.{name}").run()
        for row in found:
            print(json.dumps(row), flush=True)
        rows += found
    table = Table(*_COLUMNS, "")
    for row in rows:
        unit = row.get("unit", "")
        limit, verdict = "", ""
        if row["limit"] is not None:
            limit = f"{'≥' if row['better'] == 'higher' else '≤'} {row['limit']:g} {unit}"
            verdict = "met" if met(row) else "MISSED"
        table.add_row(row["benchmark"], row["what"], f"{row['measured']:.3g} {unit}", limit, verdict)
    Console().print(table)
    return all(met(row) for row in rows)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
