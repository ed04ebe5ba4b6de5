"""JSON as verbs print it: indented, and in ASCII, so that a terminal only shows it whatever is in there."""

import json


def json_text(value: object) -> str:
    """Return a value of lists, dicts and the like as JSON text."""
    return json.dumps(value, indent=2)
