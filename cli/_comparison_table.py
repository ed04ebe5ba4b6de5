"""A comparison for a terminal. It computes nothing: all numbers are `compare`'s."""

import math
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from tokentape.cli._prose import Prose
from tokentape.cli._safe_text import safe_text
from tokentape.cli._shown_table import ShownTable

if TYPE_CHECKING:
    from tokentape.analysis import Comparison

_WHY = {
    "too-few": "too few requests to say",
    "no-values": "one side has none",
    "counted-differently": "counted differently",
    "only-in-a": "only in A",
    "only-in-b": "only in B",
    "zero": "no change in % of 0",
}


def comparison_table(found: "Comparison") -> RenderableType:
    """Return quantiles, effects and failures as tables, with the verdict below them."""
    by = [str(name) for name in found.failures.index.names if name != "group"]
    return Group(
        _quantiles(found, by),
        _effects(found, by),
        _failures(found, by),
        Prose(safe_text(found.verdict)),
        *([Prose("Requests are paired: B is a replay of A.")] if found.paired else []),
    )


def _quantiles(found: "Comparison", by: list[str]) -> ShownTable:
    table = ShownTable([by, [""], [""]], ["A", "B", "change", "%", "95% interval of %", "n A", "n B"])
    for row in found.quantiles.reset_index().to_dict("records"):
        table.add(
            [[_name(row[name]) for name in by], [str(row["metric"])], [str(row["quantile"])]],
            [
                *(_number(row[name]) for name in ("a", "b")),
                _number(row["change"], sign="+"),
                _number(row["change_pct"], sign="+"),
                _interval(row["low_pct"], row["high_pct"], row["why"], "+.1f"),
                *(str(row[name]) for name in ("n_a", "n_b")),
            ],
        )
    return table


def _effects(found: "Comparison", by: list[str]) -> ShownTable:
    table = ShownTable([by, [""]], ["P(B slower)", "95% interval", "Cliff's delta"])
    for row in found.effects.reset_index().to_dict("records"):
        name = str(row["metric"])
        table.add(
            [
                [_name(row[group]) for group in by],
                [f"{name}, B has more" if name == "output_tokens" else name],
            ],
            [
                _number(row["prob_b_slower"], places=2),
                _interval(row["low"], row["high"], row["why"], ".2f"),
                _number(row["cliffs_delta"], sign="+", places=2),
            ],
        )
    return table


def _failures(found: "Comparison", by: list[str]) -> ShownTable:
    table = ShownTable([by, [""]], ["A", "B", "change in points", "95% interval of points", "p"])
    for row in found.failures.reset_index().to_dict("records"):
        table.add(
            [[_name(row[name]) for name in by], ["requests that failed"]],
            [
                *(f"{row[f'failed_{side}']} of {row[f'n_{side}']}" for side in "ab"),
                _number(row["change_points"], sign="+"),
                _interval(row["low_points"], row["high_points"], row["why"], "+.1f"),
                _number(row["p_value"], places=3),
            ],
        )
    return table


def _name(value: Any) -> str:
    return "without" if value is None or value != value else safe_text(value)  # noqa: PLR0124  (NaN)


def _number(value: Any, *, sign: str = "", places: int = 1) -> Text:
    return Text("" if value is None or math.isnan(value) else f"{value:{sign},.{places}f}")


def _interval(low: float, high: float, why: Any, form: str) -> Text:
    if isinstance(why, str):
        return Text(_WHY.get(why, why), style="yellow")
    return Text(f"{low:{form}} to {high:{form}}")
