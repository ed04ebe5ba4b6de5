"""How faithful a replay is, for a terminal. It computes nothing: all numbers are `fidelity`'s."""

from typing import TYPE_CHECKING

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tokentape.cassette import counted

if TYPE_CHECKING:
    import pandas as pd

_ROWS = {
    "gap_error": "error of gaps ms",
    "scaled_gap_error": "the same, scale taken out ms",
    "offset": "offset of exchanges ms",
}


def fidelity_table(found: "pd.Series[float]") -> RenderableType:
    """Return errors and offsets as a table, with scale and drift below it."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    for place in ("p50", "p99", "max"):
        table.add_column(place, justify="right", no_wrap=True)
    for name, label in _ROWS.items():
        table.add_row(label, *(_number(found[f"{name}_{place}_ms"], 3) for place in ("p50", "p99", "max")))
    over = f"{counted(int(found['gaps']), 'gap')} of {counted(int(found['exchanges']), 'exchange')}"
    scale, drift = _number(found["scale"], 6), _number(found["drift_ppm"], 0, " ppm")
    return Group(table, Text(f"scale {scale}, drift {drift}; {over}"))


def without_nan(found: "pd.Series[float]") -> dict[str, float | int | None]:
    """Return the numbers as JSON has them: null for what is not known, counts whole."""
    plain: dict[str, float | int | None] = {}
    for name, value in found.items():
        known = None if value != value else float(value)  # noqa: PLR0124  (NaN)
        plain[str(name)] = int(known) if known is not None and name in ("exchanges", "gaps") else known
    return plain


def _number(value: float, places: int, unit: str = "") -> str:
    return f"{value:,.{places}f}{unit}" if value == value else "not known"  # noqa: PLR0124  (NaN)
