"""From what a user names to files: files, folders and patterns, each file once, in a stated order.

A folder is its cassettes (`*.tape`, `*.tape.zst`) and those of the folders in it, by name. A pattern is
what the shell would make of it, with `**` for folders at any depth; a file whose name is the pattern
itself comes before it. Who names a folder or a pattern expects files: finding none is an error.
"""

import os
from collections.abc import Iterable, Iterator
from glob import glob, has_magic
from os import PathLike, fspath
from os.path import exists, isdir, realpath
from typing import TypeAlias

from tokentape.cassette._errors import Unreadable

Path: TypeAlias = str | PathLike[str]

ENDINGS = (".tape", ".tape.zst")


def cassettes_at(paths: Path | Iterable[Path]) -> list[str]:
    """Return the files that the paths name; one that is named twice is there once, as it came first.

    Raises `Unreadable` for a folder or a pattern without cassettes, ValueError for "-" twice, and TypeError
    for what is no path.
    """
    each_path = paths if isinstance(paths, Iterable) and not isinstance(paths, str | bytes) else [paths]
    found = [file for path in each_path for file in _at(_text_of(path))]
    if found.count("-") > 1:
        raise ValueError('expected "-" once, since standard input can be read once')
    files: dict[str, str] = {}
    for path in found:
        files.setdefault(path if path == "-" else realpath(path), path)
    return list(files.values())


def _text_of(path: object) -> str:
    text = fspath(path) if isinstance(path, PathLike) else path
    if not isinstance(text, str):
        raise TypeError(f"expected a path, as text or os.PathLike, or several; found {path!r}")
    return text


def _at(path: str) -> list[str]:
    if isdir(path):
        if found := sorted(_below(path)):
            return found
        raise Unreadable(
            f"{path}: expected cassettes ({', '.join('*' + ending for ending in ENDINGS)}) in this folder; "
            "found none"
        )
    if has_magic(path) and not exists(path):
        if found := sorted(name for name in glob(path, recursive=True) if not isdir(name)):
            return found
        raise Unreadable(f"{path}: expected files whose names match this pattern; found none")
    return [path]


def _below(folder: str) -> Iterator[str]:
    for here, _, names in os.walk(folder):
        yield from (os.path.join(here, name) for name in names if name.endswith(ENDINGS))
