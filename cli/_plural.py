"""Counts in sentences."""


def counted(count: int, noun: str) -> str:
    """Return `1 answer`, `2 answers`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
