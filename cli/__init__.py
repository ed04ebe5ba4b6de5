"""The `tokentape` command. Each verb is a module of this package, loaded when it is called.

`main` is loaded when it is asked for: `__main__`, which starts it, is there before, in case of Ctrl-C.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokentape.cli._group import main

__all__ = ["main"]


def __getattr__(name: str) -> object:
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tokentape.cli._group import main

    return main
