"""Secrets do not reach the disk: rules that are data, and what applies them. It needs no mitmproxy.

`docs/redaction.md` says what is replaced where. `rules.toml` is the list.
"""

from tokentape.recorder.redaction._cassettes import Redacted, redact_cassette
from tokentape.recorder.redaction._redactor import Redactor
from tokentape.recorder.redaction._rules import (
    Rules,
    RulesError,
    default_rules,
    load_rules,
    pattern_rules,
)

__all__ = [
    "Redacted",
    "Redactor",
    "Rules",
    "RulesError",
    "default_rules",
    "load_rules",
    "pattern_rules",
    "redact_cassette",
]
