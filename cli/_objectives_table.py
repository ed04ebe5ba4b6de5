"""How objectives were met, for a terminal. It computes nothing: all numbers are `Recording.slo`'s."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tokentape.cli._safe_text import safe_text

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("sent", "met", "missing", "attainment", "window s", "goodput/s")


def objectives_table(
    table: "pd.DataFrame", objectives: Mapping[str, float], by: Sequence[str] | None
) -> RenderableType:
    """Return the rows of `Recording.slo` as a table, with what the words in it mean below it."""
    import pandas as pd

    from tokentape.analysis import AT_LEAST

    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in by or ():
        shown.add_column(safe_text(name), overflow="fold")
    for head in _HEADS:
        shown.add_column(head, justify="right", no_wrap=True)
    for found in table.reset_index().to_dict("records"):
        row: Any = found
        names = ["" if pd.isna(row[name]) else safe_text(row[name]) for name in by or ()]
        counts = [f"{row[name]:,}" for name in ("sent", "met", "missing")]
        rates = [_number(row["window_s"]), _number(row["goodput_per_s"])]
        cells = [*names, *counts, _number(row["attainment"], "%"), *rates]
        shown.add_row(*(Text(cell) for cell in cells))
    bounds = [f"{name} {'>=' if name in AT_LEAST else '<='} {bound:g}" for name, bound in objectives.items()]
    return Group(
        shown,
        Text(f"met: complete, and {', '.join(bounds)}"),
        Text("missing: complete, but one of these is not known; counted as not met"),
        Text("attainment: streams met / sent; goodput: streams met / window, first request to last end"),
    )


def _number(value: float, unit: str = "") -> str:
    if math.isnan(value):
        return ""
    return f"{value:.1%}" if unit else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
