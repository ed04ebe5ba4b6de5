"""What tests have played of which cassettes, over all processes of a test run, and what none has.

Invariant: what was played in any process was played.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokentape.replay import Served

_ENDINGS = (".tape", ".tape.zst")


class Played:
    """Counts how often each exchange was played, by cassette and by words that name it."""

    def __init__(self) -> None:
        self._times: dict[str, dict[str, int]] = {}
        self._folders: set[str] = set()

    def add(self, paths: Iterable[Path], served: "Iterable[Served]") -> None:
        """Add what a server of some cassettes has served; of a recording there is nothing."""
        names = [str(path) for path in paths]
        for name in names:
            self._times.setdefault(name, {})
        for item in served:
            if item.added:  # to a file that is not in its place yet
                continue
            name = next(name for name in names if item.source.startswith(f"{name}, "))
            exchange = f"{item.source.removeprefix(f'{name}, ')}: {item.method} {item.path}"
            of = self._times[name]
            of[exchange] = of.get(exchange, 0) + item.times

    def look_in(self, folders: Iterable[Path]) -> None:
        """Have the report tell of cassettes in these folders, and in `tapes` in them."""
        for folder in folders:
            self._folders |= {str(folder), str(folder / "tapes")}

    def as_plain(self) -> dict[str, Any]:
        """Return all of it as what can be sent to another process."""
        return {"times": self._times, "folders": sorted(self._folders)}

    def add_plain(self, plain: Mapping[str, Any]) -> None:
        """Add what another process has sent."""
        self._folders |= set(plain["folders"])
        for name, exchanges in plain["times"].items():
            of = self._times.setdefault(name, {})
            for exchange, times in exchanges.items():
                of[exchange] = of.get(exchange, 0) + times

    def report(self, start: Path) -> Iterator[str]:
        """Yield lines for people, with paths from `start`."""
        clean = True
        for name, exchanges in sorted(self._times.items()):
            never = [exchange for exchange, times in exchanges.items() if not times]
            if never:
                clean = False
                yield f"{_short(name, start)}: {len(never)} of {len(exchanges)} exchanges never played"
                yield from (f"  {exchange}" for exchange in never)
        for name in self._unused_files():
            clean = False
            yield f"{_short(name, start)}: no test of this run has used it"
        if clean:
            count = len(self._times)
            noun = "cassette" if count == 1 else "cassettes"
            yield f"all that is in {count} {noun} was played, and no other is there"

    def _unused_files(self) -> list[str]:
        used = {os.path.realpath(name) for name in self._times}
        folders = self._folders | {str(Path(name).parent) for name in self._times}
        found = {
            str(path): os.path.realpath(path)
            for folder in folders
            if os.path.isdir(folder)
            for path in Path(folder).iterdir()
            if path.name.endswith(_ENDINGS)
        }
        return sorted(name for name, real in found.items() if real not in used)


def _short(name: str, start: Path) -> str:
    path = Path(name)
    return str(path.relative_to(start)) if path.is_relative_to(start) else name
