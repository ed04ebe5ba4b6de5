"""How faithful a replay is, for a terminal. It computes nothing: all numbers are `fidelity`'s."""

from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from tokentape.cassette import counted
from tokentape.cli._prose import Prose
from tokentape.cli._shown_table import ShownTable

if TYPE_CHECKING:
    import pandas as pd

_ROWS = {
    "gap_error": "error of gaps ms",
    "scaled_gap_error": "the same, scale taken out ms",
    "offset": "offset of exchanges ms",
}
_COUNTS = ("exchanges", "gaps")
_PLACES = ("p50", "p99", "max")


def fidelity_table(found: "pd.Series[float]") -> RenderableType:
    """Return errors and offsets as a table, with scale and drift below it."""
    table = ShownTable([[""]], _PLACES)
    for name, label in _ROWS.items():
        table.add([[label]], [_number(found[f"{name}_{place}_ms"], 3) for place in _PLACES])
    over = f"{counted(int(found['gaps']), 'gap')} of {counted(int(found['exchanges']), 'exchange')}"
    scale, drift = _number(found["scale"], 6), _number(found["drift_ppm"], 0, " ppm")
    return Group(table, Prose(f"scale {scale}, drift {drift}; {over}"))


def without_nan(found: "pd.Series[float]") -> dict[str, float | int | None]:
    """Return the numbers as JSON has them: null for what is not known, counts whole."""
    plain: dict[str, float | int | None] = {}
    for name, value in found.items():
        known = None if value != value else float(value)  # noqa: PLR0124  (NaN)
        plain[str(name)] = int(known) if known is not None and name in _COUNTS else known
    return plain


def _number(value: float, places: int, unit: str = "") -> str:
    return f"{value:,.{places}f}{unit}" if value == value else "not known"  # noqa: PLR0124  (NaN)


def fidelity_row(found: "pd.Series[float]") -> "pd.DataFrame":
    """Return the numbers as a table of one row, counts whole."""
    return found.to_frame().T.astype(dict.fromkeys(_COUNTS, "int64"))
