"""From partitions to Dask DataFrames, of which no more is read and made than is asked for.

A partition is some parts, in order: a range of a cassette's exchanges, a cassette, or several small ones. The
invariant: a task has a partition as its argument and keeps nothing, so one that is lost with its worker runs
again elsewhere.

How many requests were in flight is not known of a partition. Where the column `in_flight` is computed, and
only there, every partition is read once more before, for the times of its requests: 20 bytes of each.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import dask
import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.dataframe.utils import clear_known_categories
from dask.delayed import delayed

from tokentape.analysis._frame import empty
from tokentape.analysis.dask._cluster import said_where
from tokentape.analysis.loading._options import Options
from tokentape.analysis.loading._parquet import IN_FLIGHT, TABLES
from tokentape.analysis.loading._parts import Part, load_parts, table_of_parts
from tokentape.analysis.summarising._in_flight import Moments, Spans, in_flight, moments_of, spans_of

Partition: TypeAlias = tuple[Part, ...]

_NUMBER = "_partition"
"""Which partition a row is of, while its table is made."""
_ANY = "exchange"
"""A column of every table, which says how many rows there are when no column is asked for."""


def frames(partitions: Sequence[Partition], options: Options) -> dict[str, dd.DataFrame]:
    """Return the four tables, a partition for each of these."""
    with dask.config.set({"dataframe.convert-string": False}):  # text has its type already
        tables = {
            name: dd.from_map(
                _table,
                partitions,
                range(len(partitions)),
                table=name,
                options=options,
                meta=clear_known_categories(_numbered(empty(types), 0)),
                label=name,
            )
            for name, types in TABLES.items()
        }
        spans = spans_of_all(partitions, options)
        for at, name in enumerate(IN_FLIGHT):
            table = tables[name]
            # As a column of its own, which Dask leaves out where it is not asked for.
            counts = table[[_NUMBER]].map_partitions(
                _counts, spans, moments(spans), at, meta=empty(TABLES[name])["in_flight"]
            )
            tables[name] = table.assign(in_flight=counts)
        return {name: table[list(TABLES[name])] for name, table in tables.items()}


def spans_of_all(partitions: Sequence[Partition], options: Options) -> Any:
    """Return, when computed, the times of the requests of each partition."""
    task = delayed(_spans)
    return delayed(list)([task(partition, options) for partition in partitions])


def moments(spans: Any) -> Any:
    """Return, when computed, the moments of all requests."""
    return delayed(moments_of)(spans)


def _spans(partition: Partition, options: Options) -> Spans:
    with said_where():
        found = load_parts(partition, options, events={})
        return spans_of(found.exchanges, found.reads)


# Dask sees by the name of `columns` that it can say which it needs.
def _table(
    partition: Partition, number: int, *, columns: list[str], table: str, options: Options
) -> pd.DataFrame:
    wanted = {name: TABLES[table][name] for name in columns if name != _NUMBER}
    types = wanted or {_ANY: TABLES[table][_ANY]}
    with said_where():
        return _numbered(table_of_parts(table, partition, options, types), number)[columns]


def _numbered(table: pd.DataFrame, number: int) -> pd.DataFrame:
    return table.assign(**{_NUMBER: np.full(len(table), number)})


def _counts(table: pd.DataFrame, spans: list[Spans], among: Moments, at: int) -> "pd.Series[Any]":
    """Return the column `in_flight` of a partition of the table that is at this place of `IN_FLIGHT`."""
    # A partition without rows may be the one that Dask makes up to see types.
    counts = [] if table.empty else in_flight(spans[int(table[_NUMBER].iloc[0])], among)[at]
    return pd.Series(counts, name="in_flight", index=table.index, dtype="Int64")
