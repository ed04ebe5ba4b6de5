"""The four tables as Parquet: part by part, so that memory is that of a part, however much there is.

The guarantee: every file of a table has the same schema, whatever is in it, and pandas reads the documented
types back; and the folder is there whole, or not at all.

How many requests were in flight is known when all parts have been read. So the tables that have it are
written without, and then once more, a row group at a time: 20 bytes for each request are kept till then.
"""

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from tokentape.analysis import _schema as schema
from tokentape.analysis._frame import empty
from tokentape.analysis._recording import Recording
from tokentape.analysis.loading._options import options_of
from tokentape.analysis.loading._parts import (
    GATHER_BYTES,
    MAX_PART_BYTES,
    Part,
    gathered,
    load_parts,
    parts_of,
)
from tokentape.analysis.measuring._tokenizers import Tokens
from tokentape.analysis.summarising._in_flight import Spans, in_flight, moments_of, spans_of
from tokentape.cassette import StrPath, usable_at
from tokentape.progress import followed

if TYPE_CHECKING:
    import pandas as pd

TABLES = {
    "exchanges": schema.EXCHANGES,
    "streams": schema.STREAMS,
    "events": schema.EVENTS,
    "reads": schema.READS,
}
IN_FLIGHT = ("exchanges", "streams")
"""The tables with the column `in_flight`, in the order in which its counts come."""
_COUNTED = "in_flight"
_WRITTEN: dict[str, Any] = {"compression": "zstd"}
_ARROW = {
    schema.CATEGORY: pa.dictionary(pa.int32(), pa.string()),
    schema.COUNT: pa.int64(),
    schema.FLAG: pa.bool_(),
    schema.MAYBE: pa.bool_(),
    schema.MS: pa.float64(),
    schema.NUMBER: pa.int64(),
    schema.TEXT: pa.string(),
    schema.TIME: pa.timestamp("ns", tz="UTC"),
}


def to_parquet(
    paths: StrPath | Iterable[StrPath],
    folder: StrPath,
    *,
    where: str | Iterable[str] | None = None,
    definitions: str | None = None,
    dialect: str | None = None,
    tokens: Tokens | None = None,
    max_part_bytes: int = MAX_PART_BYTES,
    overwrite: bool = False,
    progress: bool = True,
) -> tuple[str, ...]:
    """Write the tables of cassettes, however large, and return what was lost, a line each.

    `folder` then has `exchanges.parquet`, `streams.parquet`, `events.parquet` and `reads.parquet`, rows in
    the order of `load`; `paths` and the other arguments are as there. Cassettes are read in parts of
    `max_part_bytes`, small ones several at a time, and memory is that for the tables of one, and 20 bytes for
    each exchange; standard input is one part.

    Raises as `load` does, and FileExistsError if there is something under that name, unless `overwrite`
    and it is a folder with nothing but such tables.
    """
    options = options_of(where, definitions, dialect, tokens)
    files, unusable = usable_at(paths)
    with made_whole(folder, overwrite=overwrite) as into:
        parts: list[Part] = []
        for path in followed(files, shown=progress, what="looking through cassettes"):
            parts += parts_of(path, max_part_bytes)
        lost = unusable
        spans: list[Spans] = []
        with ExitStack() as stack:
            writers = {
                name: stack.enter_context(
                    parquet.ParquetWriter(table_file(into, name), arrow_schema(name), **_WRITTEN)
                )
                for name in TABLES
            }
            several = gathered(parts, min(GATHER_BYTES, max_part_bytes))
            for some in followed(several, shown=progress, what="writing tables"):
                recording = load_parts(some, options)
                lost += recording.lost
                spans.append(spans_of(recording.exchanges, recording.reads))
                for name, writer in writers.items():
                    writer.write_table(arrow_table(recording, name))
        among = moments_of(spans)
        columns = zip(*(in_flight(part, among) for part in spans), strict=True)
        for name, counts in zip(IN_FLIGHT, columns, strict=True):
            fill_in_flight(table_file(into, name), counts)
    return tuple(lost)


def fill_in_flight(path: str, counts: "Sequence[pd.arrays.IntegerArray]") -> None:
    """Write a file once more, whole, with these as its column `in_flight`, one after the other."""
    column = pa.chunked_array([pa.array(each) for each in counts], pa.int64())
    unfinished, done = _beside(path), 0
    try:
        with (
            parquet.ParquetFile(path) as file,
            parquet.ParquetWriter(unfinished, file.schema_arrow, **_WRITTEN) as writer,
        ):
            at = file.schema_arrow.get_field_index(_COUNTED)
            for number in range(file.num_row_groups):
                rows = file.read_row_group(number)
                found = column.slice(done, len(rows))
                writer.write_table(rows.set_column(at, file.schema_arrow.field(at), found))
                done += len(rows)
        os.replace(unfinished, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(unfinished)
        raise


def arrow_schema(name: str) -> pa.Schema:
    """Return the schema of a table, with what pandas has to know to give its types back."""
    types = TABLES[name]
    of_pandas = pa.Schema.from_pandas(empty(types), preserve_index=False)
    return pa.schema(
        [(column, _ARROW[dtype]) for column, dtype in types.items()], metadata=of_pandas.metadata
    )


def arrow_table(recording: Recording, name: str) -> pa.Table:
    """Return a table in its schema."""
    return pa.Table.from_pandas(getattr(recording, name), schema=arrow_schema(name), preserve_index=False)


def write_tables(recording: Recording, folder: str, file: str) -> None:
    """Write each table as one file, by this name, into the folder of the table. A file is there whole."""
    for name in TABLES:
        path = os.path.join(table_file(folder, name), file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        unfinished = _beside(path)
        try:
            parquet.write_table(arrow_table(recording, name), unfinished, **_WRITTEN)
            os.replace(unfinished, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(unfinished)
            raise


def table_file(folder: str, name: str) -> str:
    """Return where a table is: a file, or a folder of files."""
    return os.path.join(folder, f"{name}.parquet")


def _beside(path: str) -> str:
    """Return a name that is free, in the same folder."""
    return os.path.join(os.path.dirname(path), f".{os.path.basename(path)}-{token_hex(4)}")


@contextmanager
def made_whole(folder: StrPath, *, overwrite: bool) -> Iterator[str]:
    """Make a folder to write to, which gets its name when all went well and is removed otherwise."""
    path = os.path.abspath(folder)
    _check_free(path, overwrite=overwrite)
    unfinished = _beside(path)
    try:
        os.mkdir(unfinished)
    except OSError as error:  # named for the folder that was asked for, and not for the one beside it
        raise type(error)(error.errno, error.strerror, os.fspath(folder)) from None
    try:
        yield unfinished
        _check_free(path, overwrite=overwrite)
        if os.path.lexists(path):
            replaced = _beside(path)
            os.rename(path, replaced)
            os.rename(unfinished, path)
            shutil.rmtree(replaced)
        else:
            os.rename(unfinished, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_free(path: str, *, overwrite: bool) -> None:
    if not os.path.lexists(path):
        return
    if not overwrite:
        raise FileExistsError(f"expected the name of a folder to make, and {path} exists")
    others = sorted(set(os.listdir(path)) - {f"{name}.parquet" for name in TABLES})
    if others:
        raise FileExistsError(f"expected a folder of tables to overwrite, and {path} has {others[0]!r} in it")
