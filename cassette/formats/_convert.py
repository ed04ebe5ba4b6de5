"""From a file of one format to a file of another. Each format is a module, loaded when it is needed."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from os import PathLike, fspath
from typing import BinaryIO, Literal, TypeAlias, get_args

from tokentape.cassette._errors import Unreadable
from tokentape.cassette._new_file import NewFile
from tokentape.cassette._reader import Entry, Reader
from tokentape.cassette._reader import open as open_cassette
from tokentape.cassette._records import Request
from tokentape.cassette._recovery import STAND_IN, whole_entries
from tokentape.cassette._rewriter import Rewriter
from tokentape.cassette.formats._assembly import Redact
from tokentape.cassette.formats._errors import NotWritten

Format: TypeAlias = Literal["tape", "jsonl", "har", "flow", "vcr"]
FORMATS: tuple[Format, ...] = get_args(Format)
WRITTEN: tuple[Format, ...] = ("tape", "jsonl", "har", "flow")
ENDINGS: dict[str, Format] = {
    ".tape": "tape",
    ".tape.zst": "tape",
    ".jsonl": "jsonl",
    ".har": "har",
    ".flow": "flow",
    ".mitm": "flow",
    ".yaml": "vcr",
    ".yml": "vcr",
    ".json": "vcr",
}
"""Which format a file's ending names."""


@dataclass(slots=True)
class Converted:
    """What was converted; `lost` has a line for everything that was not, or not whole."""

    exchanges: int = 0
    records: int = 0
    lost: list[str] = field(default_factory=list)


def format_of(path: str) -> Format | None:
    """Return the format that a file's ending names, None if none."""
    return next((name for ending, name in ENDINGS.items() if path.lower().endswith(ending)), None)


def convert(
    source: str | PathLike[str],
    target: str | PathLike[str],
    *,
    read_as: Format,
    write_as: Format,
    overwrite: bool = False,
    redact: Redact | None = None,
) -> Converted:
    """Convert a file, as far as it is whole; `-` is standard input or output.

    `redact` is applied to every record that comes from an archive, flows or vcrpy's cassettes.

    Raises `NotWritten` for a format that is only read; the `CassetteError`s `Unreadable`, `NotACassette`,
    `NotTheFormat` and `WrongLine` if the source is not what it should be, and then writes nothing;
    ModuleNotFoundError if the format needs a package that is not installed; OSError if the target cannot
    be written.
    """
    if write_as not in WRITTEN:
        raise NotWritten(
            f"{fspath(target)}: {write_as} is read and not written; expected one of {', '.join(WRITTEN)}"
        )
    done = Converted()
    # Before any file is opened: a format whose package is not installed is said at once.
    read = None if read_as == "tape" else _reader(read_as, redact)
    write = None if write_as == "tape" else _writer(write_as)
    name = fspath(source)
    with ExitStack() as stack:
        if read is None:
            found = _read_tape(stack.enter_context(open_cassette(name, lenient=True)), done.lost)
        else:
            found = read(_stdin() if name == "-" else stack.enter_context(_opened(name)), name, done.lost)
        entries = _counted(found, done)
        if write is None:
            out = stack.enter_context(Rewriter(target, overwrite=overwrite))
            for entry in entries:
                out.copy(entry.payload)
        else:
            new = stack.enter_context(NewFile(target, overwrite=overwrite))
            write(new.file, entries, done.lost)
    return done


_Read: TypeAlias = Callable[[BinaryIO, str, list[str]], Iterator[Entry]]
_Write: TypeAlias = Callable[[BinaryIO, Iterable[Entry], list[str]], None]


def _reader(read_as: Format, redact: Redact | None) -> _Read:
    if read_as == "jsonl":
        from tokentape.cassette.formats import _jsonl  # noqa: PLC0415  (each format when it is needed)

        return _jsonl.read
    if read_as == "har":
        from tokentape.cassette.formats import _har  # noqa: PLC0415

        return partial(_har.read, redact=redact)
    if read_as == "flow":
        from tokentape.cassette.formats import _flows  # noqa: PLC0415

        return partial(_flows.read, redact=redact)
    from tokentape.cassette.formats import _vcr  # noqa: PLC0415

    return partial(_vcr.read, redact=redact)


def _writer(write_as: Format) -> _Write:
    if write_as == "jsonl":
        from tokentape.cassette.formats import _jsonl  # noqa: PLC0415

        return _jsonl.write
    if write_as == "har":
        from tokentape.cassette.formats import _har  # noqa: PLC0415

        return _har.write
    from tokentape.cassette.formats import _flows  # noqa: PLC0415

    return _flows.write


def _stdin() -> BinaryIO:
    if sys.stdin is None or sys.stdin.closed:
        raise Unreadable("-: expected a file on standard input, which is closed")
    return sys.stdin.buffer


def _opened(name: str) -> BinaryIO:
    try:
        return open(name, "rb")
    except OSError as error:
        raise Unreadable(f"{name}: expected a readable file: {error.strerror}") from None


def _read_tape(tape: Reader, lost: list[str]) -> Iterator[Entry]:
    """Yield what is whole of a cassette, with a section where one must have been lost."""
    for entry in whole_entries(tape):
        if entry.record is STAND_IN:
            before = f"the section record before byte {entry.offset}"
            lost.append(f"{tape.name}: {before}; a stand-in is in its place")
        yield entry
    lost += [f"{tape.name}: {damage}" for damage in tape.damage]


def _counted(entries: Iterable[Entry], done: Converted) -> Iterator[Entry]:
    for entry in entries:
        done.records += 1
        done.exchanges += isinstance(entry.record, Request)
        yield entry
