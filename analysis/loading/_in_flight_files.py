"""The column `in_flight` of tables that were written part by part: no part knows what else was under way.

So it is filled in at the end, from what is kept of each exchange of every part: when it began and ended.
"""

import os
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from tokentape.analysis import _schema as schema
from tokentape.analysis._recording import Recording
from tokentape.analysis.summarising._in_flight import with_in_flight

_KEY = list(schema.KEYS)
_SPAN = [*_KEY, "started_at", "end_ms", "first_byte_ms", "headers_ms", "streams"]
_COLUMN = "in_flight"


def spans_of(recording: Recording) -> Recording:
    """Return what has to be kept of a part: no rows but one for each exchange, and its last read."""
    return replace(
        recording,
        exchanges=recording.exchanges[_SPAN],
        streams=recording.streams[_KEY],
        events=recording.events[:0],
        reads=recording.reads.loc[:, [*_KEY, "t_ms"]].drop_duplicates(_KEY, keep="last"),
    )


def fill_in_flight(folder: str, spans: Sequence[Recording]) -> None:
    """Write the files of `exchanges` and `streams` in a folder again, with the column.

    A file is read and written row group by row group. Those of a table are in the order of their names.
    """
    exchanges, streams, reads = (
        pd.concat([_plain(getattr(each, name)) for each in spans], ignore_index=True)
        for name in ("exchanges", "streams", "reads")
    )
    whole = with_in_flight(replace(spans[0], exchanges=exchanges, streams=streams, reads=reads))
    for name in ("exchanges", "streams"):
        column = pa.array(getattr(whole, name)[_COLUMN], pa.int64())
        start = 0
        for path in _files(os.path.join(folder, f"{name}.parquet")):
            start = _fill(path, column, start)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    return table.astype({"cassette": "str"})


def _files(path: str) -> list[str]:
    return [os.path.join(path, name) for name in sorted(os.listdir(path))] if os.path.isdir(path) else [path]


def _fill(path: str, column: pa.Array, start: int) -> int:
    filled = f"{path}.filled"
    with parquet.ParquetFile(path) as file:
        schema_of_file = file.schema_arrow
        at = schema_of_file.get_field_index(_COLUMN)
        with parquet.ParquetWriter(filled, schema_of_file, compression="zstd") as writer:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                values = column[start : start + len(table)]
                start += len(table)
                writer.write_table(table.set_column(at, schema_of_file.field(at), values))
    os.replace(filled, path)
    return start
