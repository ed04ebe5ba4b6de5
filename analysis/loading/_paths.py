"""From what a user names to files, as everything here that reads cassettes takes it."""

from tokentape.cassette import cassettes_at, usable_at
from tokentape.cassette._paths import Path

__all__ = ["Path", "cassettes_at", "usable_at"]
