"""How objectives were met, for a terminal. It computes nothing: all numbers are `Recording.slo`'s."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType

from tokentape.cli._prose import Prose
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable

if TYPE_CHECKING:
    import pandas as pd

_HEADS = ("sent", "met", "missing", "attainment", "window s", "goodput/s")


def objectives_table(
    table: "pd.DataFrame", objectives: Mapping[str, float], by: Sequence[str] | None
) -> RenderableType:
    """Return the rows of `Recording.slo` as a table, with what the words in it mean below it."""
    import pandas as pd

    from tokentape.analysis import AT_LEAST

    shown = ShownTable([[safe_text(name) for name in by or ()]], _HEADS)
    for found in table.reset_index().to_dict("records"):
        row: Any = found
        names = ["" if pd.isna(row[name]) else safe_text(row[name]) for name in by or ()]
        counts = [f"{row[name]:,}" for name in ("sent", "met", "missing")]
        rates = [_number(row["window_s"]), _number(row["goodput_per_s"])]
        shown.add([names], [*counts, _number(row["attainment"], "%"), *rates])
    bounds = [f"{name} {'>=' if name in AT_LEAST else '<='} {bound:g}" for name, bound in objectives.items()]
    return Group(
        shown,
        Prose(f"met: complete, and {', '.join(bounds)}"),
        Prose("missing: complete, but one of these is not known; counted as not met"),
        Prose("attainment: streams met / sent; goodput: streams met / window, first request to last end"),
    )


def _number(value: float, unit: str = "") -> str:
    if math.isnan(value):
        return ""
    return f"{value:.1%}" if unit else f"{value:,.3g}" if value < 1000 else f"{value:,.0f}"
