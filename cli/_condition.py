"""What makes `--fail-if` fail: `ttft_p90 > +10%`, `surely e2e_p50 > +50ms`, `failed > 2%`, `drift_ppm > 100`.

The invariant: a condition of which it cannot be told whether it holds has failed, and says why.
"""

import re
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd

    from tokentape.analysis import Comparison

R = TypeVar("R")

_FORM = re.compile(
    r"\s*(surely\s+)?([a-z][a-z0-9_]*)\s*(>=|<=|>|<)\s*([+-]?)(\d+(?:\.\d+)?|\.\d+)\s*(%|pp|ms|s)?\s*"
)
_COMPARED = {">": gt, ">=": ge, "<": lt, "<=": le}
_METRICS = {name: f"{name}_ms" for name in ("ttft", "gap", "read_gap", "itl", "tpot", "e2e")} | {
    name: name for name in ("output_tokens", "tokens_per_s")
}
_QUANTILE = re.compile(r"(\w+?)(?:_ms)?_(p50|p90|p99)")
FAILED = "failed"
_ONE_SIDED = {"only-in-a": "A", "only-in-b": "B"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition as it was written. `bound` is in ms where the unit was a time."""

    text: str
    surely: bool
    name: str
    operator: str
    signed: bool
    bound: float
    unit: str


def fail_if_option(
    read: "Callable[[str], Condition]", *, example: str
) -> "Callable[[Callable[..., R]], Callable[..., R]]":
    """Return what adds --fail-if, which can be repeated: conditions that `read` understands."""

    def conditions(
        ctx: click.Context,  # noqa: ARG001  (click's signature)
        param: click.Parameter,  # noqa: ARG001
        texts: tuple[str, ...],
    ) -> tuple[Condition, ...]:
        try:
            return tuple(map(read, texts))
        except ValueError as error:
            raise click.BadParameter(str(error)) from error

    return click.option(
        "--fail-if",
        metavar="CONDITION",
        multiple=True,
        callback=conditions,
        help=f"Exit with 1 if it holds, such as '{example}' (repeatable).",
    )


def said_failed(lines: "Sequence[str]") -> bool:
    """Say what has failed, each in a line on stderr; return whether anything has."""
    for line in lines:
        click.echo(f"failed: {line}", err=True)
    return bool(lines)


def comparison_condition(text: str) -> Condition:
    """Return a condition on a comparison; ValueError says what was expected."""
    found = _read(text)
    if found is not None and found.name == FAILED:
        if (found.unit, found.signed) in (("%", False), ("pp", True)):
            return found
        raise ValueError(
            f"expected {FAILED} in % of the requests of B ('{FAILED} > 2%') or as a change in percentage "
            f"points ('{FAILED} > +1pp'), found {text!r}"
        )
    parts = _QUANTILE.fullmatch(found.name) if found else None
    if found is None or parts is None or parts[1] not in _METRICS:
        raise ValueError(
            "expected a condition such as 'ttft_p90 > +10%', 'surely e2e_p50 > +50ms', 'itl_p99 > 80ms' or "
            f"'{FAILED} > 2%' (of {', '.join(_METRICS)}; p50, p90 or p99), found {text!r}"
        )
    is_time = _METRICS[parts[1]].endswith("_ms")
    if found.unit == "pp" or (found.unit == "%" and not found.signed):
        raise ValueError(f"expected a change in % with its sign, as in '{found.name} > +10%', found {text!r}")
    if found.unit in ("ms", "s") and not is_time:
        raise ValueError(f"expected a number without a unit for {parts[1]}, which is no time, found {text!r}")
    return found


def fidelity_condition(text: str) -> Condition:
    """Return a condition on how faithful a replay is; ValueError says what was expected."""
    from tokentape.analysis import FIDELITY

    found = _read(text)
    names = {name.removesuffix("_ms"): name for name in FIDELITY}
    name = names.get(found.name.removesuffix("_ms")) if found else None
    if found is None or name is None or found.surely:
        raise ValueError(
            "expected a condition such as 'gap_error_p99 > 2ms' or 'drift_ppm > 100' "
            f"(of {', '.join(names)}), found {text!r}"
        )
    if found.signed or found.unit in ("%", "pp") or (found.unit and not name.endswith("_ms")):
        unit = "ms" if name.endswith("_ms") else "no unit"
        raise ValueError(f"expected a number with {unit} for {found.name} and without a sign, found {text!r}")
    return found


def failed_comparison(condition: Condition, found: "Comparison") -> list[str]:
    """Return a line for each group in which the condition holds, or cannot be told."""
    if condition.name == FAILED:
        column, ends = (
            ("change_points", ("low_points", "high_points"))
            if condition.signed
            else ("b_pct", ("b_low_pct", "b_high_pct"))
        )
        rows = found.failures.reset_index()
        sides = (("a_pct", "before"), ("b_pct", "now"))
    else:
        parts = _QUANTILE.fullmatch(condition.name)
        assert parts is not None  # noqa: S101  (it was checked as it was read)
        plain = found.quantiles.reset_index()
        rows = plain[(plain["metric"] == _METRICS[parts[1]]) & (plain["quantile"] == parts[2])]
        column, ends = (
            ("change_pct", ("low_pct", "high_pct"))
            if condition.unit == "%"
            else ("change", ("change_low", "change_high"))
            if condition.signed
            else ("b", ("b_low", "b_high"))
        )
        sides = (("a", "before"), ("b", "now"))
    if rows.empty:
        return [f"{condition.text}: cannot be told: nothing to compare"]
    groups = [name for name in found.failures.index.names if name != "group"]
    lines = []
    for row in rows.to_dict("records"):
        looked_at = [row[end] for end in ends] if condition.surely else [row[column]]
        where = f" ({group_words(row, groups)})" if groups else ""
        why = row["why"]
        if why == "only-in-b" and not condition.signed:  # it is about B's own value
            why = "too-few" if row["n_b"] else "no-values"
        elif why in _ONE_SIDED:
            why = f"{group_words(row, groups)} is only in {_ONE_SIDED[why]}"
        said = _failing(condition, looked_at, why)
        if said:
            units = "%" if condition.name == FAILED else ""
            values = [f"{row[side]:.4g}{units} {when}" for side, when in sides if row[side] == row[side]]
            both = f" ({', '.join(values)})" if said.startswith("found") else ""
            lines.append(f"{condition.text}{where}: {said}{both}")
    return lines


def failed_fidelity(condition: Condition, found: "pd.Series[float]") -> list[str]:
    """Return a line if the condition holds, or cannot be told."""
    values: Mapping[str, float] = {str(name).removesuffix("_ms"): value for name, value in found.items()}
    why = "no exchange has reads at two times" if values["gaps"] else "no events with times"
    said = _failing(condition, [values[condition.name.removesuffix("_ms")]], why)
    return [f"{condition.text}: {said}"] if said else []


def group_words(row: "Mapping[Any, Any]", names: "Sequence[Any]") -> str:
    """Return which group a row is about."""
    unnamed = {name for name in names if row[name] is None or row[name] != row[name]}
    return ", ".join(f"without {name}" if name in unnamed else f"{name} {row[name]}" for name in names)


def _read(text: str) -> Condition | None:
    form = _FORM.fullmatch(text)
    if form is None:
        return None
    surely, name, operator, sign, number, unit = form.groups()
    return Condition(
        text=text.strip(),
        surely=bool(surely),
        name=name,
        operator=operator,
        signed=bool(sign),
        bound=float(sign + number) * (1000 if unit == "s" else 1),
        unit=unit or "",
    )


def _failing(condition: Condition, values: list[float], why: object) -> str:
    """Return what is wrong, or "". All values, the ends of an interval, must satisfy the condition."""
    if any(value is None or value != value for value in values):  # noqa: PLR0124  (NaN)
        return f"cannot be told: {why if isinstance(why, str) else 'zero'}"
    if not all(_COMPARED[condition.operator](value, condition.bound) for value in values):
        return ""
    unit = "ms" if condition.unit == "s" else condition.unit
    sign = "+" if condition.signed else ""
    return "found " + " to ".join(f"{value:{sign}.4g}{unit}" for value in values)
