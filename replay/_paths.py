"""The files that paths and patterns of paths name: shells expand `tapes/*.tape`, quotes and TOML do not."""

from collections.abc import Iterable
from glob import glob, has_magic
from pathlib import Path

from tokentape.replay._errors import NothingToServe


def expanded(names: Iterable[str]) -> list[str]:
    """Return the names of files, those of a pattern sorted; what a pattern adds is added once.

    A file whose very name has the signs of a pattern is that file. Raises `NothingToServe` for a pattern
    that no file matches.
    """
    found: list[str] = []
    for name in names:
        if not has_magic(name) or Path(name).exists():
            found.append(name)
            continue
        files = sorted(path for path in glob(name, recursive=True) if Path(path).is_file())
        if not files:
            raise NothingToServe(f"{name}: expected cassettes, found no file whose name matches this pattern")
        found += [path for path in files if path not in found]
    return found
