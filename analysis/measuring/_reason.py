"""Why a number is missing, in one word. All reasons are here, and each is explained in `docs/metrics.md`.

The type checker refuses a reason that is not here; a test refuses one that is not in the document.
"""

from typing import Literal, TypeAlias, get_args

from tokentape.dialects import Outcome

Reason: TypeAlias = Literal[
    "role-only",
    "unparsed",
    "no-reasoning",
    "no-content",
    "no-tool-call",
    "no-usage",
    "billed-together",
    "withheld-reasoning",
    "all-hidden",
    "single-token",
    "single-event",
    "single-read",
    "no-time-between",
    "no-finish",
    "no-end-mark",
    "no-body",
    "no-events",
    "not-a-stream",
    "unknown-dialect",
    "undecodable",
    "no-streams",
    "not-timed",
    "not-defined",
    "not-seen-by-tool",
]

REASONS: tuple[Reason, ...] = get_args(Reason)

Why: TypeAlias = Outcome | Reason
"""The outcome is the reason where it explains what is missing."""
