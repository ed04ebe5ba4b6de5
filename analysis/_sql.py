"""SQL over the four tables, with DuckDB where it is installed.

The guarantee: a query sees the tables `exchanges`, `streams`, `events` and `reads`, and nothing else: no
variable of the caller's, no file, no network. What it does to its database is gone when it has returned.

What is missing is NULL. A result has the types of the tables: integers are `Int64`, sums too (which DuckDB
makes of 128 bits), truth is `boolean`, times of day are `datetime64[ns, UTC]`. In a query these are a
TIMESTAMP_NS and always UTC: for zones DuckDB would have to fetch an extension.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "lock_configuration": "true",
}
_INT64 = 2**63


def query(text: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Return the rows that a query finds; of several statements, those of the last.

    Raises ValueError, with what DuckDB says in one line, for a query that it refuses, and
    ModuleNotFoundError where DuckDB is not installed.
    """
    try:
        import duckdb  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "sql() needs the package 'duckdb', which is not installed; "
            "add it with: pip install 'tokentape[sql]'",
            name=error.name,
        ) from error
    with duckdb.connect(":memory:", config=_CONFIG) as connection:
        for name, table in tables.items():
            connection.register(name, _plain(table))
        try:
            found = connection.sql(text)
            if found is None:
                raise ValueError(f"expected a query such as 'from streams', found {text!r}")
            arrow = found.to_arrow_table()
        except duckdb.Error as error:
            raise ValueError(_line(error)) from error
    return _frame(arrow)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose times of day do not say that they are UTC, and whose names are all text.

    DuckDB takes a category without values for a column of numbers.
    """
    changed = {}
    for name, dtype in table.dtypes.items():
        if isinstance(dtype, pd.DatetimeTZDtype):
            changed[str(name)] = table[name].dt.tz_convert(None)
        elif isinstance(dtype, pd.CategoricalDtype) and not len(dtype.categories):
            changed[str(name)] = table[name].astype("string")
    return table.assign(**changed)


def _line(error: Exception) -> str:
    """Return what DuckDB says, without its drawing of where."""
    lines = (line.strip() for line in str(error).partition("\nLINE ")[0].splitlines())
    return "; ".join(line for line in lines if line)


def _frame(table: Any) -> pd.DataFrame:
    """Return an Arrow table as pandas has it, with the types above."""
    import pyarrow as pa  # noqa: PLC0415  (it takes a third of a second, and only this needs it)
    import pyarrow.compute as pc  # noqa: PLC0415

    columns = []
    for column in table.columns:
        if pa.types.is_decimal(column.type):
            bounds = pc.min_max(column).as_py()
            is_whole = column.type.scale == 0 and all(
                each is None or -_INT64 <= each < _INT64 for each in bounds.values()
            )
            columns.append(column.cast(pa.int64() if is_whole else pa.float64()))
        elif pa.types.is_integer(column.type) and column.type != pa.uint64():
            columns.append(column.cast(pa.int64()))
        elif pa.types.is_timestamp(column.type):
            columns.append(column.cast(pa.timestamp("ns", "UTC")))
        elif pa.types.is_dictionary(column.type):  # its indices are unsigned, which not every pyarrow takes
            columns.append(column.cast(column.type.value_type).dictionary_encode())
        else:
            columns.append(column)
    mapped = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}.get
    made: pd.DataFrame = pa.table(columns, names=table.column_names).to_pandas(types_mapper=mapped)
    return made
