"""What `tokentape redact` has replaced, as a table for people or as JSON; never the secrets themselves."""

from tokentape.cassette import counted
from tokentape.cli._json_text import json_text
from tokentape.recorder.redaction import Redacted


def redacted_json(found: Redacted) -> str:
    """Return one object: `replaced` with a row for each rule and place, `reencoded` and `lost`."""
    rows = [{"rule": rule, "place": place, "count": n} for (rule, place), n in sorted(found.counts.items())]
    return json_text({"replaced": rows, "reencoded": found.reencoded, "lost": found.lost})


def redacted_table(found: Redacted) -> str:
    """Return a line for each rule and place, and their sum."""
    lines = [f"{n:>6}  {rule:<20}  {place}" for (rule, place), n in sorted(found.counts.items())]
    return "\n".join([*lines, f"replaced {counted(found.total, 'secret')}"])
