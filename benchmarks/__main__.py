"""Run all benchmarks, or those whose names begin as is said: JSON lines as they are measured, then a table.

Exits with 1 if a limit was missed. What could not be measured here is in the table with the reason.
"""

import json
import sys
from importlib import import_module
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

BENCHMARKS = (
    "recorder",
    "stamps",
    "memory",
    "replay_lateness",
    "replay_instant",
    "replay_memory",
    "analysis",
    "analysis_peers",
    "analysis_parquet",
    "analysis_dask",
)
_COLUMNS = ("benchmark", "what", "measured", "limit", "", "beside")
_WIDTH = 160  # in a file or a pipe


def met(row: dict[str, Any]) -> bool:
    """Whether a row's measured figure is on the right side of its limit, if it has both."""
    if row["limit"] is None or row["measured"] is None:
        return True
    above = row["measured"] >= row["limit"]
    return bool(above if row["better"] == "higher" else row["measured"] <= row["limit"])


def _chosen(names: list[str]) -> tuple[str, ...]:
    for name in names:
        if not any(each.startswith(name) for each in BENCHMARKS):
            sys.exit(f"expected what one of {', '.join(BENCHMARKS)} begins with, found {name!r}")
    return tuple(each for each in BENCHMARKS if not names or each.startswith(tuple(names)))


def main(names: list[str]) -> bool:
    """Measure and print; return whether every limit was met."""
    console = Console(stderr=True)
    rows: list[dict[str, Any]] = []
    for name in _chosen(names):
        with console.status(f"measuring {name}"):
            for row in import_module(f"benchmarks.{name}").run():
                print(json.dumps(row), flush=True)
                rows.append(row)
    table = Table(*_COLUMNS)
    for row in rows:
        unit = row.get("unit", "")
        limit, verdict = "", ""
        if row["limit"] is not None:
            limit = f"{'≥' if row['better'] == 'higher' else '≤'} {row['limit']:g} {unit}"
            verdict = "met" if met(row) else "MISSED"
        if row["measured"] is None:
            measured, verdict, beside = "", "skipped", row["skipped"]
        else:
            measured, beside = f"{row['measured']:.3g} {unit}", row.get("beside", "")
        table.add_row(row["benchmark"], row["what"], measured, limit, verdict, Text(beside))
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)
    return all(met(row) for row in rows)


if __name__ == "__main__":
    sys.exit(0 if main(sys.argv[1:]) else 1)
