"""`tokentape demo`: record, replay and measure a stream, with no network and no key."""

from tokentape.cli.demo._command import command

__all__ = ["command"]
