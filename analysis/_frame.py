"""Columns to a DataFrame of the types that the schema gives: the only place that makes pandas' types.

The invariant: a table has all columns of its schema, in its order, whatever it holds and if it holds nothing.
"""

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

from tokentape.analysis import _schema as schema

Columns: TypeAlias = dict[str, Any]

_HAS_STR = int(pd.__version__.partition(".")[0]) >= 3
# What pandas 3 calls "str"; there is none like it before, and this one has NA for what is missing.
_TEXT = pd.StringDtype("pyarrow", na_value=np.nan) if _HAS_STR else pd.StringDtype("pyarrow")
_NAMES = _TEXT if _HAS_STR else np.dtype("object")
"""What pandas by itself makes of the names of categories, if there are any."""


def empty(types: Mapping[str, str]) -> pd.DataFrame:
    """Return a table without rows, with the columns and types of any other."""
    return frame({name: [] for name in types}, types)


def frame(columns: Columns, types: Mapping[str, str]) -> pd.DataFrame:
    """Return a table of these columns, of which there may be more than the types name."""
    # Without a copy, since nobody else holds these columns: that would be the most memory of a load.
    return pd.DataFrame({name: _typed(columns[name], dtype) for name, dtype in types.items()}, copy=False)


def _typed(values: Any, dtype: str) -> "pd.Series[Any]":
    match dtype:
        case schema.TIME:
            missing = pd.NaT.value if hasattr(pd.NaT, "value") else np.iinfo(np.int64).min
            ns = np.array([missing if value is None else value for value in values], np.int64)
            return pd.Series(pd.to_datetime(ns, unit="ns", utc=True)).astype(schema.TIME)
        case schema.TEXT:
            # Through Arrow, since pandas looks at each string of a list twice.
            return pd.Series(pd.array(pa.array(values, pa.large_string()), dtype=_TEXT), copy=False)
        case schema.CATEGORY:
            found: pd.Series[Any] = pd.Series(values, dtype=dtype)
            # Where there is no name, pandas cannot tell that names are text.
            if not len(found.cat.categories):
                found = pd.Series(values, dtype=pd.CategoricalDtype(pd.Index([], dtype=_NAMES)))
            return found
        case _:
            return pd.Series(values, dtype=dtype, copy=False)
