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

from tokentape.cassette._errors import CassetteError, Unreadable
from tokentape.cassette._reader import open as open_cassette

StrPath: TypeAlias = str | PathLike[str]
"""One path, as users give it."""

ENDINGS = (".tape", ".tape.zst")


def cassettes_at(paths: StrPath | Iterable[StrPath]) -> list[str]:
    """Return the files that the paths name; one that is named twice is there once, as it came first.

    Raises `Unreadable` for a folder or a pattern without cassettes, ValueError for "-" twice, and TypeError
    for what is no path.
    """
    return list(_found(paths))


def usable_at(paths: StrPath | Iterable[StrPath]) -> tuple[list[str], list[str]]:
    """Return the same files without those of folders and patterns that are of no use, and why, a line each.

    These cannot be read, hold something else, or have a version that is not known; who means one names it.
    Raises as `cassettes_at` does, and the `CassetteError` of the first such file if there is no other file.
    """
    files: list[str] = []
    errors: list[CassetteError] = []
    for file, is_named in _found(paths).items():
        try:
            if not is_named:
                _begin(file)
            files.append(file)
        except CassetteError as error:
            errors.append(error)
    if errors and not files:
        raise errors[0]
    return files, list(map(str, errors))


def _found(paths: StrPath | Iterable[StrPath]) -> dict[str, bool]:
    """Return the files, and of each whether it was named itself."""
    each_path = paths if isinstance(paths, Iterable) and not isinstance(paths, str | bytes) else [paths]
    found = [(file, file == path) for path in map(_text_of, each_path) for file in _at(path)]
    if sum(file == "-" for file, _ in found) > 1:
        raise ValueError('expected "-" once, since standard input can be read once')
    files: dict[str, str] = {}
    for file, _ in found:
        files.setdefault(file if file == "-" else realpath(file), file)
    named = {realpath(file) for file, is_named in found if is_named}
    return {file: file == "-" or real in named for real, file in files.items()}


def _begin(file: str) -> None:
    """Read the first record of a file. Raises `CassetteError` if nothing in it can be used."""
    with open_cassette(file, lenient=True) as tape:
        next(iter(tape), None)


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
