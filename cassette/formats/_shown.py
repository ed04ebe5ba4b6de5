"""What an error shows of a value that is wrong: enough to find it, and nothing that may be a secret.

The invariant: no character of a text is shown.
"""

from tokentape.cassette._plural import counted


def shown(value: object) -> str:
    """Return a number and the like as it stands; of texts, lists and mappings how long they are."""
    match value:
        case str():
            return f"text of {counted(len(value), 'character')}"
        case bytes():
            return counted(len(value), "byte")
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return f"a mapping of {len(value)}"
        case None | bool() | int() | float():
            return f"{value!r:.60}"
        case _:
            return f"a {type(value).__name__}"
