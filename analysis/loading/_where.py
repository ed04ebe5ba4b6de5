"""Which exchanges are looked at: conditions as text, the same in Python and on the command line.

A condition is a column of `exchanges`, an operator and a value: `model=gpt-4o*`, `status>=400`,
`started_at>=2026-09-21T12:00`, `label.env=prod`. All conditions hold together.

`=` and `!=` compare text by pattern (`*`, `?`, `[...]`, letters as they are), with `|` between several.
`<`, `<=`, `>` and `>=` compare numbers and times; a time is ISO 8601, in UTC where it does not say. A column
that is true or false is compared with these two words. What
is missing satisfies `!=` and nothing else; `=` without a value finds it.
"""

import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from math import isfinite, nan
from operator import ge, gt, le, lt
from typing import Any

from tokentape.analysis import _schema as schema
from tokentape.analysis._labels import LABEL, label_of
from tokentape.analysis.measuring._reading import Condition, Row

_FORM = re.compile(r"\s*([\w.-]+?)\s*(!=|<=|>=|=|<|>)\s*(.*?)\s*", re.DOTALL)
_ORDER = {"<": lt, "<=": le, ">": gt, ">=": ge}
_LATER = ("in_flight",)
"""What is not known before all exchanges have been chosen."""
_FLAGS = {"true": True, "false": False}
_NUMBERS = (schema.COUNT, schema.MS, schema.NUMBER)


def conditions(where: str | Iterable[str] | None) -> list[Condition]:
    """Return the conditions; ValueError says which one cannot be understood, and what was expected."""
    texts = [where] if isinstance(where, str) else where or ()
    return [_condition(text) for text in texts]


def holds(found: Iterable[Condition], row: Row) -> bool:
    """Return whether an exchange satisfies all conditions."""
    return all(condition(row) for condition in found)


def _condition(text: str) -> Condition:
    form = _FORM.fullmatch(text)
    if form is None:
        raise ValueError(
            f"expected a condition such as model=gpt-4o*, status>=400 or label.env=prod, found {text!r}"
        )
    name, operator, value = form.groups()
    if name.startswith(LABEL):
        label = name.removeprefix(LABEL)
        return _compared(text, lambda row: label_of(row["labels"], label), schema.TEXT, operator, value)
    if name not in schema.EXCHANGES or name in _LATER:
        names = ", ".join(column for column in schema.EXCHANGES if column not in _LATER)
        raise ValueError(
            f"expected a column of exchanges ({names}) or label.NAME, found {name!r} in {text!r}"
        )
    return _compared(text, lambda row: row[name], schema.EXCHANGES[name], operator, value)


def _compared(text: str, get: Callable[[Row], Any], dtype: str, operator: str, value: str) -> Condition:
    if operator in ("=", "!="):
        is_equal = _equal(text, get, dtype, value)
        return is_equal if operator == "=" else lambda row: not is_equal(row)
    if dtype not in (*_NUMBERS, schema.TIME):
        raise ValueError(f"expected = or != after a column of text, found {operator!r} in {text!r}")
    compare, bound = _ORDER[operator], _value(text, value, dtype)

    def is_ordered(row: Row) -> bool:
        found = get(row)
        return found is not None and compare(found, bound)

    return is_ordered


def _equal(text: str, get: Callable[[Row], Any], dtype: str, value: str) -> Condition:
    choices = value.split("|")
    if value and dtype in (*_NUMBERS, schema.TIME):
        numbers = {_value(text, choice, dtype) for choice in choices}
        return lambda row: get(row) in numbers
    if value and dtype in (schema.MAYBE, schema.FLAG):
        flags = {_flag(text, choice) for choice in choices}
        return lambda row: get(row) in flags

    def is_like(row: Row) -> bool:
        found = get(row)
        return not value if found is None else any(fnmatchcase(str(found), choice) for choice in choices)

    return is_like


def _value(text: str, value: str, dtype: str) -> float:
    try:
        found = _ns(value) if dtype == schema.TIME else float(value)
    except ValueError:
        found = nan
    if not isfinite(found):
        kind = "a time such as 2026-09-21T12:00" if dtype == schema.TIME else "a number"
        raise ValueError(f"expected {kind}, found {value!r} in {text!r}")
    return found


def _flag(text: str, value: str) -> bool:
    if (found := _FLAGS.get(value.lower())) is None:
        raise ValueError(f"expected true or false, found {value!r} in {text!r}")
    return found


def _ns(value: str) -> int:
    moment = datetime.fromisoformat(value)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000
