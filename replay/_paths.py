"""The files that paths and patterns of paths name: shells expand `tapes/*.tape`, quotes and TOML do not."""

import os
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


def distinct(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return the names, each file once, and those that name a file again, also by another path or a link."""
    found: list[str] = []
    again: list[str] = []
    seen: set[tuple[int, int]] = set()
    for name in names:
        file = _file(name)
        if file in seen:
            again.append(name)
            continue
        found.append(name)
        seen |= {file} if file else set()
    return found, again


def _file(name: str) -> tuple[int, int] | None:
    """Return what is the same for all names of a file; None for standard input and what is not there."""
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return None
    return (found.st_dev, found.st_ino) if name != "-" else None
