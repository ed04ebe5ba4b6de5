"""Counts in sentences."""


def counted(count: int, noun: str, *, grouped: bool = False) -> str:
    """Return `1 answer`, `2000 answers`; `grouped` makes the latter `2,000 answers`."""
    return f"{count:{',' if grouped else ''}} {noun}{'' if count == 1 else 's'}"
