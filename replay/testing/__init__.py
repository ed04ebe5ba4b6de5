"""The plugin for pytest: a test's cassette is served to it, or recorded where there is none.

`Tape` is what its fixture gives to a test, for annotations.

Invariant: loading the plugin loads nothing that serves; a test run without cassettes pays for no more than
its own.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["Tape"]

if TYPE_CHECKING:
    from tokentape.replay.testing._tape import Tape
else:

    def __getattr__(name: str) -> Any:
        """Return `Tape`."""
        if name == "Tape":
            from tokentape.replay.testing._tape import Tape  # noqa: PLC0415  (see above)

            return Tape
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
