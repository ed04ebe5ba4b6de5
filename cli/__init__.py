"""The `tokentape` command. Each verb is a module of this package, loaded when it is called."""

from tokentape.cli._group import main

__all__ = ["main"]
