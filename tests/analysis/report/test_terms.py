"""What the page prints of definitions stands alone, and is of all that the documentation defines."""

import re
from pathlib import Path

import pytest

from tokentape.analysis.measuring._reason import REASONS as ALL_REASONS
from tokentape.analysis.report._terms import (
    LABELS,
    METRICS,
    OUTCOMES,
    REASONS,
    SOURCES,
    UNSURE,
    ZERO,
    meaning,
)
from tokentape.analysis.summarising._summary import METRICS as SUMMARISED
from tokentape.dialects import OUTCOMES as ALL_OUTCOMES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")
FORMULA = re.compile(r"\([^()]*\) / (?:\w+|\([^()]*\))")


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", ""))


def names(title: str) -> set[str]:
    """The names in the first cells of a section's tables."""
    section = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_metric_of_the_summary_is_defined_with_the_formulas_of_the_document():
    assert set(METRICS) == set(LABELS) == set(SUMMARISED)
    formulas = [formula for text in METRICS.values() for formula in FORMULA.findall(text)]
    assert len(formulas) == 2
    for text in [ZERO, *formulas]:
        assert text in plain(DOCUMENT)


@pytest.mark.parametrize(
    ("title", "terms", "known"),
    [("Outcomes", OUTCOMES, ALL_OUTCOMES), ("Missing is not zero", REASONS, ALL_REASONS)],
)
def test_every_outcome_and_reason_of_the_document_is_explained(title, terms, known):
    assert set(terms) == set(known)
    assert set(terms) <= names(title)


def test_every_way_to_know_tokens_and_every_reason_of_a_comparison_is_explained():
    for name in (*SOURCES, *UNSURE):
        assert f"`{name}`" in DOCUMENT
    for why in UNSURE:
        assert meaning(why)


@pytest.mark.parametrize(
    "text", [*METRICS.values(), *map(meaning, (*OUTCOMES, *REASONS, *UNSURE)), *SOURCES.values()]
)
def test_every_explanation_is_a_sentence_that_points_at_no_other(text: str):
    assert text.endswith(".")
    assert text[0].isupper() or text[0] in "(n"
    assert not re.search(
        r"\bthe same\b|\bbefore that\b|\bnone of that\b|\bits names\b|: see\b|see below", text
    )
