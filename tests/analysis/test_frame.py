"""The types of columns, in the pandas that is here."""

import runpy
from pathlib import Path

import pandas as pd
import pytest

from tokentape.analysis import _frame, _schema
from tokentape.analysis._frame import empty, frame

VERSION = int(pd.__version__.partition(".")[0])


def names_dtype(values):
    return frame({"name": values}, {"name": _schema.CATEGORY})["name"].cat.categories.dtype


@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_names_are_text_of_one_type_also_where_there_is_none(values):
    assert names_dtype(values) == names_dtype(["a"]) == names_dtype([None, "a", "b"])
    assert empty({"name": _schema.CATEGORY})["name"].cat.categories.dtype == names_dtype(["a"])


@pytest.mark.skipif(VERSION < 3, reason="the type is not in pandas 2")
@pytest.mark.parametrize("version", ["3.0.0", "10.0.0"])
def test_pandas_of_two_digits_is_a_later_one(version, monkeypatch):
    monkeypatch.setattr(pd, "__version__", version)
    made = runpy.run_path(str(Path(_frame.__file__)))
    assert made["empty"]({"text": _schema.TEXT})["text"].dtype == pd.Series(["a"]).dtype
