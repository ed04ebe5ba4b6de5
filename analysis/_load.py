"""From files to a `Recording`: the only module of the package that reads anything."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from tokentape import cassette
from tokentape.analysis._definitions import Definitions, named_definitions
from tokentape.analysis._exchange import MeasuredExchange, measured
from tokentape.analysis._paths import Path, cassettes_at
from tokentape.analysis._progress import followed
from tokentape.analysis._recording import Recording
from tokentape.analysis._tables import events_table, exchange_row, exchanges_table, reads_table, streams_table
from tokentape.analysis._where import Condition, conditions, holds
from tokentape.dialects import Dialect, named


def load(
    paths: Path | Iterable[Path],
    *,
    where: str | Iterable[str] | None = None,
    definitions: str | None = None,
    dialect: str | None = None,
    progress: bool = True,
) -> Recording:
    """Read one cassette or several into tables, rows in the order of files, sections and exchanges.

    `paths` are files, folders (all `*.tape` and `*.tape.zst` in them, at any depth), patterns such as
    `"week-*.tape"`, and "-" for standard input.

    `where` is a condition on the columns of `exchanges`, or several that all must hold; what is left out
    is in no table::

        load("tapes", where=["model=gpt-4o*", "status=200", "started_at>=2026-09-21", "label.env=prod"])

    `definitions` names a tool (one of `DEFINITIONS`) as which `ttft_ms`, `itl_ms`, `tpot_ms` and `e2e_ms`
    are computed. `dialect` names the API that all answers are read as (one of `DIALECTS`); without it each
    exchange's path and first events tell. `progress`: show a bar on a terminal after the first second.

    A file that is given twice is read once, under the name that came first: each exchange is one row.

    Files are read leniently: what is whole is used, and what is not is listed in `Recording.lost`.
    Raises the `CassetteError`s `Unreadable`, `NotACassette` and `UnsupportedVersion` for files of which
    nothing can be used and for folders and patterns without cassettes, and ValueError for a condition that
    cannot be understood, a dialect or definitions that do not exist, and "-" twice.
    """
    chosen = named(dialect) if dialect is not None else None
    tool = named_definitions(definitions)
    wanted = conditions(where)
    files = cassettes_at(paths)
    exchanges: list[MeasuredExchange] = []
    lost: list[str] = []
    with _collector_paused():
        for path in followed(files, shown=progress):
            found, missing = _load_one(path, chosen, tool, wanted)
            exchanges += found
            lost += missing
        return Recording(
            exchanges=exchanges_table(exchanges),
            streams=streams_table(exchanges),
            events=events_table(exchanges),
            reads=reads_table(exchanges),
            lost=tuple(lost),
            definitions=definitions,
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


def _load_one(
    path: str,
    dialect: Dialect | None,
    definitions: Definitions | None = None,
    where: Sequence[Condition] = (),
) -> tuple[list[MeasuredExchange], list[str]]:
    lost: list[str] = []
    found: list[MeasuredExchange] = []
    open_ended: list[cassette.Exchange] = []
    with cassette.open(path, lenient=True) as tape:
        for exchange in cassette.exchanges(tape):
            if exchange.end is None:
                # Whether these are whole depends on damage that may yet come.
                open_ended.append(exchange)
            else:
                found.append(measured(exchange, cassette=path, dialect=dialect, definitions=definitions))
        is_damaged = any(not damage.torn for damage in tape.damage)
        found += [
            measured(
                exchange, cassette=path, dialect=dialect, file_is_damaged=is_damaged, definitions=definitions
            )
            for exchange in open_ended
        ]
        lost += [f"{path}: {damage}" for damage in tape.damage]
    found = [each for each in found if not where or holds(where, exchange_row(each))]
    found.sort(key=_position)
    for each in found:
        name = f"{path}: exchange {each.exchange.number} of section {each.exchange.section_index}"
        if each.lost_chunks > 0:
            are = "is" if each.lost_chunks == 1 else "are"
            lost.append(f"{name}: {each.lost_chunks} of its pieces {are} missing; it is not measured")
        elif each.lost_chunks < 0:
            lost.append(f"{name}: it has more pieces than its end record says; it is not measured")
        elif (end := each.exchange.end) is not None and end.chunks:
            size = int(each.read_bytes.sum())
            if end.bytes != size:
                lost.append(f"{name}: its pieces have {size} bytes, and its end record says {end.bytes}")
        if each.clock_goes_back:
            lost.append(f"{name}: the times of its pieces go back; it is not measured")
        if each.answer.undecodable:
            lost.append(f"{name}: {each.answer.undecodable}")
    return found, lost


def _position(each: MeasuredExchange) -> tuple[int, int]:
    return each.exchange.section_index, each.exchange.number
