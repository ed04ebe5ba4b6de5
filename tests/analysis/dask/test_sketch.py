import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokentape.analysis.dask import RELATIVE_ERROR
from tokentape.analysis.dask._sketch import merged, sketch_of

QUANTILES = (0, 0.001, 0.5, 0.9, 0.99, 1)
VALUES = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e12)), min_size=1, max_size=200)


def check(sketch, values):
    assert sketch.n == len(values)
    exact = pd.Series(values).quantile(list(QUANTILES)).to_numpy()
    found = np.array(sketch.quantiles(QUANTILES))
    assert (np.abs(found - exact) <= RELATIVE_ERROR * np.abs(exact)).all()
    lowest = np.quantile(values, QUANTILES, method="inverted_cdf")
    found = np.array(sketch.quantiles(QUANTILES, "inverted_cdf"))
    assert (np.abs(found - lowest) <= RELATIVE_ERROR * np.abs(lowest)).all()
    assert (sketch.least, sketch.greatest) == (min(values), max(values))


@settings(deadline=None)
@given(parts=st.lists(VALUES, min_size=1, max_size=4), sign=st.sampled_from([1, -1]))
def test_quantiles_are_within_the_stated_error_however_values_are_divided(parts, sign):
    parts = [sign * np.array(part) for part in parts]
    whole = np.concatenate(parts)
    sketch = merged(map(sketch_of, parts))
    check(sketch, whole)
    at_once = sketch_of(whole)
    assert sketch.quantiles(QUANTILES) == at_once.quantiles(QUANTILES)


@pytest.mark.parametrize("seed", range(3))
def test_many_gaps_of_a_stream_are_within_the_stated_error(seed):
    rng = np.random.default_rng(seed)
    check(sketch_of(values := rng.lognormal(3, 2, 100_000)), values)
    assert len(sketch_of(values).keys) < 20_000


def test_no_values_are_no_values():
    sketch = merged([sketch_of(np.array([])), sketch_of(np.array([5.0]))])
    assert (sketch.n, sketch.quantiles([0.5])) == (1, [5.0])
    assert sketch_of(np.array([])).n == 0
