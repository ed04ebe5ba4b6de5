"""One exchange out of the middle of a cassette, by the place of its request: without what came before it."""

import builtins
from collections.abc import Iterator
from os import PathLike, fspath
from typing import BinaryIO

from tokentape.cassette._errors import Corrupt, Unreadable
from tokentape.cassette._exchanges import Exchange, exchanges
from tokentape.cassette._framing import Damage, read_frames
from tokentape.cassette._records import Record, Request, Section, decode


def exchange_at(
    path: str | PathLike[str], offset: int, *, max_bytes: int | None = None
) -> tuple[Exchange, bool]:
    """Return the exchange whose request's frame begins at `offset`, and whether all of it was looked for.

    Reads until its end, over the records of others that lie between, but no more than about `max_bytes`. The
    exchange has no section, and no end if it is still under way. The cassette must not be compressed.

    Raises `Unreadable` if the file cannot be read, `Corrupt` if no request begins there.
    """
    name = fspath(path)
    try:
        with builtins.open(name, "rb") as file:
            file.seek(offset)
            found = next(exchanges(_records(file, offset, max_bytes)), None)
            whole = max_bytes is None or file.tell() - offset < max_bytes
    except OSError as error:
        raise Unreadable(f"{name}: expected a readable cassette: {error.strerror}") from None
    if found is None:
        raise Corrupt(name, offset, "expected a request record there")
    return found, found.end is not None or whole


def _records(file: BinaryIO, offset: int, max_bytes: int | None) -> Iterator[Record]:
    """Yield the records of the exchange that begins at the offset, if one does, up to the next section."""

    def read(size: int) -> bytes:
        left = size if max_bytes is None else max_bytes - (file.tell() - offset)
        return file.read(max(min(size, left), 0))

    number: int | None = None
    for item in read_frames(read, offset=offset, growing=True):
        record = None if isinstance(item, Damage) else _decoded(item.payload)
        if number is None:
            if not isinstance(record, Request):
                return
            number = record.exchange
        if isinstance(record, Section):
            return
        if record is not None and getattr(record, "exchange", None) == number:
            yield record


def _decoded(payload: bytes) -> Record | None:
    try:
        return decode(payload)
    except ValueError:
        return None
