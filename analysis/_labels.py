"""What a recording was labelled with, from the text in the column `labels`."""

import json

LABEL = "label."
"""What a label's name begins with where columns are named, too: `label.env`."""


def label_of(labels: str | None, name: str) -> str | None:
    """Return a label of a recording, from the text in the column `labels`, None if it has none so named."""
    found: dict[str, str] = json.loads(labels) if labels else {}
    return found.get(name)
