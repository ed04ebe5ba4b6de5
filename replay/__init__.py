"""Replay: a cassette served again over HTTP, the same bytes in the same pieces at the same times.

::

    from tokentape.replay import serve

    with serve("session.tape", speed=2) as replay:
        print(replay.base_url)

`serve` runs a server in a thread of its own; `Server` is the same for an event loop of yours.

Its names are in `_public`, which is read when one of them is first asked for: the plugin for pytest is
loaded in every test run, and must not cost those runs a server that need none.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentape.replay._public import *  # noqa: F403  (its `__all__` is the list of public names)
else:

    def __getattr__(name: str) -> Any:
        """Return a public name; `__all__` is one of them."""
        if name.startswith("_") and name != "__all__":  # what the import system asks for, and submodules
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from tokentape.replay import _public  # noqa: PLC0415  (see above)

        found = getattr(_public, name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return __getattr__("__all__")
