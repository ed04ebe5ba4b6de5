"""What the page prints of definitions is what the documentation says, and all that it says."""

import re
from pathlib import Path

import pytest

from tokentape.analysis.measuring._reason import REASONS as ALL_REASONS
from tokentape.analysis.report._terms import LABELS, METRICS, OUTCOMES, REASONS, ZERO
from tokentape.analysis.summarising._summary import METRICS as SUMMARISED
from tokentape.dialects import OUTCOMES as ALL_OUTCOMES

DOCUMENT = (Path(__file__).parents[3] / "docs" / "metrics.md").read_text(encoding="utf-8")


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", text).replace("`", ""))


def rows(title: str) -> dict[str, str]:
    """The names in the first cells of a section's tables, and what the second cells say of each."""
    section = DOCUMENT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("|")]
    return {name: plain(text).strip() for names, text in cells for name in re.findall(r"`([^`]+)`", names)}


def test_every_metric_of_the_summary_is_defined_in_the_words_of_the_document():
    assert set(METRICS) == set(LABELS) == set(SUMMARISED)
    for text in [ZERO, *(text for texts in METRICS.values() for text in texts)]:
        assert text in plain(DOCUMENT)


@pytest.mark.parametrize(
    ("title", "terms", "known"),
    [("Outcomes", OUTCOMES, ALL_OUTCOMES), ("Missing is not zero", REASONS, ALL_REASONS)],
)
def test_every_outcome_and_reason_is_explained_in_the_words_of_the_document(title, terms, known):
    assert set(terms) == set(known)
    assert {name: rows(title)[name] for name in terms} == terms
