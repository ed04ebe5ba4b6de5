"""From files to a `Recording`: the only module of the package that reads anything."""

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tokentape import cassette
from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording, with_in_flight
from tokentape.analysis._rows import exchange_row
from tokentape.analysis._tables import events_table, exchanges_table, reads_table, streams_table
from tokentape.analysis.loading._options import options_of
from tokentape.analysis.loading._where import holds
from tokentape.analysis.measuring._exchange import MeasuredExchange, measured, repeated
from tokentape.analysis.measuring._reading import Reading
from tokentape.analysis.measuring._tokenizers import Tokens
from tokentape.cassette import StrPath, usable_at
from tokentape.progress import Follow, reading_bar

if TYPE_CHECKING:
    import pandas as pd


def load(
    paths: StrPath | Iterable[StrPath],
    *,
    where: str | Iterable[str] | None = None,
    definitions: str | None = None,
    dialect: str | None = None,
    tokens: Tokens | None = None,
    progress: bool = True,
) -> Recording:
    """Read one cassette or several into tables, rows in the order of files, sections and exchanges.

    `paths` are files, folders (all `*.tape` and `*.tape.zst` in them, at any depth), patterns such as
    `"week-*.tape"`, and "-" for standard input.

    `where` is a condition on the columns of `exchanges`, or several that all must hold; what is left out
    is in no table::

        load("tapes", where=["model=gpt-4o*", "status=200", "started_at>=2026-09-21", "label.env=prod"])

    `definitions` names a tool (one of `DEFINITIONS`): tokens, `ttft_ms`, `itl_ms`, `tpot_ms`, `e2e_ms` and
    throughput are that tool's. `dialect` names the API that all answers are read as (one of `DIALECTS`);
    without it each exchange's path and first events tell. `progress`: show a bar on a terminal after the
    first second.

    `tokens` counts the tokens of every stream anew from its text, with a tokenizer: `"tiktoken:NAME"`, such
    as `"tiktoken:o200k_base"`, `"tokenizers:FILE"` with the path of a tokenizer.json, or a function from a
    text to its number of tokens. Nothing is downloaded. `output_tokens` is then what was streamed, and
    `tokens_from` is `tokenizer`. Without it bills count, and token events where there is none.

    A file that is given twice is read once, under the name that came first: each exchange is one row.

    Files are read leniently: what is whole is used, and what is not is listed in `Recording.lost`, as are
    files of folders and patterns of which nothing can be used. Raises the `CassetteError`s `Unreadable`,
    `NotACassette` and `UnsupportedVersion` for such files that are named themselves, or if there are no
    others, and `Unreadable` for folders and patterns without cassettes, and ValueError for a condition that
    cannot be understood, a dialect, definitions or a tokenizer that do not exist, and "-" twice.
    ModuleNotFoundError says what to install for a tokenizer.
    """
    reading = options_of(where, definitions, dialect, tokens).reading()
    files, lost = usable_at(paths)
    exchanges: list[MeasuredExchange] = []
    with collector_paused(), reading_bar(files, shown=progress) as follow:
        for path in files:
            found, missing = load_one(path, reading, follow)
            exchanges += found
            lost += missing
        return with_in_flight(tables_of(exchanges, lost, definitions))


def tables_of(
    exchanges: Sequence[MeasuredExchange],
    lost: Iterable[str],
    definitions: str | None,
    events: Mapping[str, str] = schema.EVENTS,
) -> Recording:
    """Return the four tables of measured exchanges, that of events with the columns of `events`."""
    rows = [exchange_row(each) for each in exchanges]
    return Recording(
        exchanges=exchanges_table(rows),
        streams=streams_table(exchanges, rows),
        events=events_table(exchanges, events),
        reads=reads_table(exchanges),
        lost=tuple(lost),
        definitions=definitions,
    )


def table_of(name: str, exchanges: Sequence[MeasuredExchange], types: Mapping[str, str]) -> "pd.DataFrame":
    """Return one of the four tables, with these columns, of measured exchanges."""
    match name:
        case "exchanges":
            return exchanges_table([exchange_row(each) for each in exchanges], types)
        case "streams":
            return streams_table(exchanges, [exchange_row(each) for each in exchanges], types)
        case "events":
            return events_table(exchanges, types)
        case _:
            return reads_table(exchanges, types)


@contextmanager
def collector_paused() -> Iterator[None]:
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


def load_one(
    path: str, reading: Reading, follow: Follow | None = None
) -> tuple[list[MeasuredExchange], list[str]]:
    """Return the exchanges of a file, measured, and a line for each thing that is lost."""
    with cassette.open(path, lenient=True) as tape:
        exchanges = cassette.exchanges(tape)
        if follow is not None:
            exchanges = follow(exchanges, lambda: tape.position)
        found = measured_all(exchanges, path, reading, is_damaged=lambda: is_damaged(tape.damage))
        lost = [f"{path}: {damage}" for damage in tape.damage]
    return found, [*lost, *losses(path, found)]


def is_damaged(damage: Iterable[cassette.Damage]) -> bool:
    """Return whether anything is lost from the middle of a file, and not only at its end."""
    return any(not each.torn for each in damage)


def measured_all(
    exchanges: Iterable[cassette.Exchange],
    path: str,
    reading: Reading,
    *,
    is_damaged: Callable[[], bool],
) -> list[MeasuredExchange]:
    """Return the exchanges that satisfy all conditions, measured, in order of sections and numbers.

    `is_damaged` is asked when all exchanges were read: whether those without an end are whole depends on it.
    """
    found: list[MeasuredExchange] = []
    open_ended: list[cassette.Exchange] = []
    for exchange in exchanges:
        if exchange.end is None:
            open_ended.append(exchange)
        else:
            found.append(measured(exchange, reading, cassette=path))
    if open_ended:
        damaged = is_damaged()
        found += [measured(each, reading, cassette=path, file_is_damaged=damaged) for each in open_ended]
    uses = Counter(map(_position, found))
    if len(uses) < len(found):
        found = [repeated(each, reading) if uses[_position(each)] > 1 else each for each in found]
    if reading.where:
        found = [each for each in found if holds(reading.where, exchange_row(each))]
    found.sort(key=_position)
    return found


def losses(path: str, found: Iterable[MeasuredExchange]) -> Iterator[str]:
    """Yield a line for each exchange of a file that does not have all that was recorded."""
    for each in found:
        name = f"{path}: exchange {each.exchange.number} of section {each.exchange.section_index}"
        if each.damage is not None:
            yield f"{name}: {each.damage}; it is not measured"
        elif (end := each.exchange.end) is not None and end.chunks:
            size = int(each.read_bytes.sum())
            if end.bytes != size:
                yield f"{name}: its pieces have {size} bytes, and its end record says {end.bytes}"
        if each.answer.undecodable:
            yield f"{name}: {each.answer.undecodable}"


def _position(each: MeasuredExchange) -> tuple[int, int]:
    return each.exchange.section_index, each.exchange.number
