"""Counts in sentences."""

from tokentape.cassette import counted

__all__ = ["counted"]
