"""What makes `compare --fail-if` fail: `ttft_p90 > +10%`, `itl_p50 > +2ms`, `e2e_p99 > 4000`."""

import re
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

_FORM = re.compile(
    r"\s*(ttft|gap|read_gap|itl|e2e|output_tokens|tokens_per_s)(?:_ms)?_(p50|p90|p99)\s*(>=|<=|>|<)"
    r"\s*([+-]?)(\d+(?:\.\d+)?)\s*(%|ms)?\s*"
)
_COMPARED = {">": gt, ">=": ge, "<": lt, "<=": le}


def checked(text: str) -> str:
    """Return the condition; ValueError says what was expected."""
    form = _FORM.fullmatch(text)
    if form is None or (form[6] == "%" and not form[4]):
        raise ValueError(
            f"expected a condition such as 'ttft_p90 > +10%' or 'e2e_p99 > 4000', found {text!r}"
        )
    return text


def failures(text: str, quantiles: "pd.DataFrame") -> list[str]:
    """Return a line for each group in which the condition holds, or cannot be told."""
    form = _FORM.fullmatch(checked(text))
    assert form is not None  # noqa: S101  (checked just now)
    name, quantile, operator, sign, number, unit = form.groups()
    metric = name if name in ("output_tokens", "tokens_per_s") else f"{name}_ms"
    column = "change_pct" if unit == "%" else "change" if sign else "b"
    bound = float(sign + number)
    plain = quantiles.reset_index()
    rows = plain[(plain["metric"] == metric) & (plain["quantile"] == quantile)]
    if rows.empty:
        return [f"{text}: cannot be told: no requests to compare"]
    found = []
    for row in rows.to_dict("records"):
        value = row[column]
        if value != value:  # noqa: PLR0124  (NaN)
            found.append(f"{text}: cannot be told: {row['why'] or 'zero'}")
        elif _COMPARED[operator](value, bound):
            found.append(
                f"{text}: found {value:+.1f}{unit or ''} ({row['a']:.1f} before, {row['b']:.1f} now)"
            )
    return found
