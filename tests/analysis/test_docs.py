"""`docs/metrics.md` and the code have the same columns, outcomes and reasons, none more on either side."""

import re
from pathlib import Path

import pytest

from tokentape.analysis import FIDELITY, GROUPINGS
from tokentape.analysis import _schema as schema
from tokentape.analysis.comparing import _change as changes
from tokentape.analysis.comparing import _effect as effects
from tokentape.analysis.comparing import _failures as failures
from tokentape.analysis.comparing._change import QUANTILES
from tokentape.analysis.measuring._reason import REASONS
from tokentape.analysis.summarising._grouping import OUTPUT_BOUNDS, PROMPT_BOUNDS
from tokentape.analysis.summarising._summary import COLUMNS, METRICS
from tokentape.cli._condition import comparison_condition, fidelity_condition
from tokentape.dialects import OUTCOMES
from tokentape.dialects._carried import NAMES

TEXT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def section(title):
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def defined(title):
    """The names in the first cells of a section's tables."""
    rows = [line for line in section(title).splitlines() if line.startswith("|")]
    rows = [row for row, below in zip(rows, [*rows[1:], ""], strict=True) if not below.startswith("|---")]
    return [name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])]


of_each_table = pytest.mark.parametrize(
    ("title", "columns"),
    [
        ("Exchanges", schema.EXCHANGES),
        ("Streams", schema.STREAMS),
        ("Events", schema.EVENTS),
        ("Reads", schema.READS),
    ],
)


@of_each_table
def test_every_column_of_every_table_is_defined_and_no_other(title, columns):
    # `..._why` stands beside its number, by a rule that the document states once.
    expected = [
        name for name in columns if not (name.endswith("_why") and name.removesuffix("_why") in columns)
    ]
    assert sorted(defined(title)) == sorted(expected)


@of_each_table
def test_every_column_has_its_type(title, columns):
    typed = 0
    for table in re.findall(r"\| column \| type \|.*?(?=\n\n|\Z)", section(title), re.DOTALL):
        for line in table.splitlines()[2:]:
            names, kinds = (re.findall(r"`([^`]+)`", cell) for cell in line.split("|")[1:3])
            if not kinds:
                assert "| as there | as in `exchanges` |" in line
                kinds = [schema.EXCHANGES[name] for name in names]
            found = [columns[name] for name in names]
            assert found == (kinds if len(kinds) > 1 else kinds * len(names)), names
            typed += len(names)
    # the clocks have one type, said above their table
    assert len(defined(title)) - typed == (len(schema.CLOCKS) if title == "Streams" else 0)
    assert all(columns[name] == schema.MS for name in columns if name.endswith("_ms"))


def test_everything_to_group_by_is_defined_and_no_more():
    assert sorted(defined("Groups")) == sorted([*GROUPINGS, "label.NAME"])
    for bounds in (PROMPT_BOUNDS, OUTPUT_BOUNDS):
        text = f"from {', '.join(f'{bound:,}' for bound in bounds[:-1])} and {bounds[-1]:,} on"
        assert text in section("Groups")


def test_every_reason_and_outcome_is_defined_and_no_other():
    assert set(defined("Missing is not zero")) == set(REASONS)
    assert set(defined("Outcomes")) == set(OUTCOMES)
    assert not set(REASONS) & set(OUTCOMES)


def test_every_row_and_column_of_a_summary_is_defined_and_no_other():
    assert set(defined("Summaries")) == {*METRICS, *COLUMNS}


def test_everything_that_an_event_carries_is_defined():
    assert [name for name in (*NAMES.values(), "nothing") if f"`{name}`" not in section("Events")] == []


def test_everything_that_a_comparison_and_its_conditions_have_is_defined():
    text = section("Two recordings compared")
    for name in (*QUANTILES, *changes.ENDS, *effects.COLUMNS, *failures.COLUMNS):
        stem = name.removesuffix("_a").removesuffix("_b")
        assert f"`{name}`" in text or f"`{stem}_a`" in text or name in ("b_pct", "b_low_pct", "b_high_pct"), (
            name
        )
    for why in ("no-values", "too-few", "zero", "counted-differently"):
        assert f"`{why}`" in text
    for condition in re.findall(r"`([a-z_ 0-9]+ [<>]=? [+\d.a-z%]+)`", text):
        assert comparison_condition(condition)


def test_every_number_of_fidelity_is_defined_and_every_condition_of_the_text_is_one():
    text = section("How faithful a replay is")
    assert [name for name in FIDELITY if f"`{name}`" not in text and not name.startswith("scaled")] == []
    conditions = re.findall(r"`([a-z_0-9]+ > [\d.a-z]+)`", text)
    assert len(conditions) == 3
    for condition in conditions:
        assert fidelity_condition(condition)
