from pathlib import Path

from tokentape.analysis import _schema as schema
from tokentape.analysis._outcome import OUTCOMES

TEXT = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def test_every_metric_and_outcome_is_defined_for_users():
    names = [*schema.MEASURES, *OUTCOMES, "tokens_from", "hidden_tokens", "token_events", "text_chars"]
    assert [name for name in names if f"`{name}`" not in TEXT] == []


def test_every_reason_is_defined_for_users():
    sources = "".join(
        (Path(__file__).parents[2] / "analysis" / name).read_text(encoding="utf-8")
        for name in ("_metrics.py", "_exchange.py")
    )
    reasons = ("role-only", "no-usage", "single-token", "single-event", "single-read",
               "no-finish", "no-end-mark", "no-body", "no-events", "not-a-stream", "unknown-dialect",
               "undecodable")  # fmt: skip
    assert [reason for reason in reasons if f'"{reason}"' not in sources or f"`{reason}`" not in TEXT] == []
