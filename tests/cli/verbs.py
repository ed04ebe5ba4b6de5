"""Running the verbs that look at cassettes and mend them, and files that they cannot use."""

from pathlib import Path

from click.testing import CliRunner, Result

from tests.cassette.tapes import NOTE, SECTION, closed, exchange, raw
from tokentape import cassette
from tokentape.cli import main

TAPE = closed(
    SECTION,
    *exchange(0, model="gpt-4o"),
    NOTE,
    *exchange(1, 3, model="千问", host="other.example", status=429),
)
"""A section with two exchanges: two pieces from api.example, three from other.example."""
INTERRUPTED = TAPE[:-3]


def run(*arguments: object, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], input=stdin)


def tape(path: Path, *records: cassette.Record) -> Path:
    path.write_bytes(raw(*(records or TAPE)))
    return path


def torn(path: Path) -> Path:
    path.write_bytes(raw(*TAPE)[:-3])
    return path


def corrupt(path: Path) -> Path:
    """A cassette whose first piece is damaged."""
    data = bytearray(raw(*TAPE))
    data[data.index(b"data: 0.0")] ^= 1
    path.write_bytes(data)
    return path


def records(path: Path) -> list[cassette.Record]:
    with cassette.open(path) as found:
        return list(found)


BAD = {
    "missing": "No such file",
    "folder": "Is a directory",
    "empty": "empty file",
    "text": "expected a cassette",
    "newer": "please upgrade",
    "zstd": "expected a cassette",
    "locked": "Permission denied",
}


def bad_file(folder: Path, kind: str) -> Path:
    path = folder / kind
    match kind:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "text":
            path.write_text("hello, this is no cassette")
        case "newer":
            path.write_bytes(
                raw(cassette.Section(version=9, wall_ns=0, mono_ns=0, writer="", proxy="", host=""))
            )
        case "zstd":
            path.write_bytes(b"\x28\xb5\x2f\xfdnot zstd at all")
        case "locked":
            tape(path).chmod(0)
    return path
