"""From files to a `Recording`: the only module of the package that reads anything."""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike, fspath
from os.path import realpath

from tokentape import cassette
from tokentape.analysis._exchange import MeasuredExchange, measured
from tokentape.analysis._recording import Recording
from tokentape.analysis._tables import events_table, exchanges_table, reads_table, streams_table
from tokentape.dialects import Dialect, named

Path = str | PathLike[str]


def load(paths: Path | Iterable[Path], *, dialect: str | None = None) -> Recording:
    """Read one cassette or several into tables, rows in the order of files, sections and exchanges.

    `paths` may hold "-" for standard input. `dialect` names the API that all answers are read as (one of
    `DIALECTS`); without it each exchange's path and first events tell.

    A file that is given twice is read once, under the name that came first: each exchange is one row.

    Files are read leniently: what is whole is used, and what is not is listed in `Recording.lost`.
    Raises the `CassetteError`s `Unreadable`, `NotACassette` and `UnsupportedVersion` for files of which
    nothing can be used, and ValueError for a dialect that does not exist and for "-" twice.
    """
    chosen = named(dialect) if dialect is not None else None
    each_path = [paths] if isinstance(paths, str | PathLike) else list(paths)
    exchanges: list[MeasuredExchange] = []
    lost: list[str] = []
    with _collector_paused():
        for path in _once([fspath(path) for path in each_path]):
            found, missing = _load_one(path, chosen)
            exchanges += found
            lost += missing
        return Recording(
            exchanges=exchanges_table(exchanges),
            streams=streams_table(exchanges),
            events=events_table(exchanges),
            reads=reads_table(exchanges),
            lost=tuple(lost),
        )


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Keep the cyclic collector from looking through values of which all stay and none are in cycles.

    It would, again and again as they become more: 5% of the time of a load.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _once(paths: list[str]) -> list[str]:
    """Return the paths without those that lead to a file that came before."""
    if paths.count("-") > 1:
        raise ValueError('expected "-" once, since standard input can be read once')
    files: dict[str, str] = {}
    for path in paths:
        files.setdefault(path if path == "-" else realpath(path), path)
    return list(files.values())


def _load_one(path: str, dialect: Dialect | None) -> tuple[list[MeasuredExchange], list[str]]:
    lost: list[str] = []
    found: list[MeasuredExchange] = []
    open_ended: list[cassette.Exchange] = []
    with cassette.open(path, lenient=True) as tape:
        for exchange in cassette.exchanges(tape):
            if exchange.end is None:
                # Whether these are whole depends on damage that may yet come.
                open_ended.append(exchange)
            else:
                found.append(measured(exchange, cassette=path, dialect=dialect))
        is_damaged = any(not damage.torn for damage in tape.damage)
        found += [
            measured(exchange, cassette=path, dialect=dialect, file_is_damaged=is_damaged)
            for exchange in open_ended
        ]
        lost += [f"{path}: {damage}" for damage in tape.damage]
    found.sort(key=_position)
    for each in found:
        name = f"{path}: exchange {each.exchange.number} of section {each.exchange.section_index}"
        if each.lost_chunks > 0:
            are = "is" if each.lost_chunks == 1 else "are"
            lost.append(f"{name}: {each.lost_chunks} of its pieces {are} missing; it is not measured")
        elif each.lost_chunks < 0:
            lost.append(f"{name}: it has more pieces than its end record says; it is not measured")
        elif (end := each.exchange.end) is not None and end.chunks and end.bytes != sum(each.read_bytes):
            lost.append(
                f"{name}: its pieces have {sum(each.read_bytes)} bytes, and its end record says {end.bytes}"
            )
        if each.answer.undecodable:
            lost.append(f"{name}: {each.answer.undecodable}")
    return found, lost


def _position(each: MeasuredExchange) -> tuple[int, int]:
    return each.exchange.section_index, each.exchange.number
