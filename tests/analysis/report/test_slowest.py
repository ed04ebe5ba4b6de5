"""The rows of the slowest streams begin, in every order and view, with the slowest there are."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tokentape.analysis.report._slowest import MOST_ROWS, OF_A_VIEW, OF_ALL, ORDERS, chosen
from tokentape.analysis.report._sparkline import WIDTH, sparkline

TIMES = st.one_of(st.floats(0, 1e6), st.just(np.nan))


@given(st.lists(st.tuples(TIMES, TIMES, TIMES, st.integers(0, 2)), max_size=80))
def test_rows_hold_the_slowest_of_every_order_and_view(rows):
    streams = pd.DataFrame([row[:3] for row in rows], columns=list(ORDERS), dtype="float64")
    of = np.array([row[3] for row in rows], int)
    masks = [np.ones(len(rows), bool), *(of == view for view in range(3))]
    found = chosen(streams, masks)
    assert found == sorted(set(found))
    for view, mask in enumerate(masks if len(found) <= MOST_ROWS else masks[:1]):
        for order in ORDERS:
            every = streams[order].to_numpy()[mask]
            ours = streams[order].to_numpy()[[row for row in found if mask[row]]]
            n = OF_A_VIEW if view else OF_ALL
            slowest = [-value for value in sorted(-each for each in every if not np.isnan(each))[:n]]
            assert [-value for value in sorted(-each for each in ours if not np.isnan(each))[:n]] == slowest


@given(st.lists(st.tuples(st.floats(0, 1e9), st.booleans()), max_size=3000), st.floats(0, 1e9))
def test_a_strip_is_no_longer_than_its_pixels_allow(tokens, scale_ms):
    tokens.sort()
    scale_ms = max(scale_ms, tokens[-1][0] if tokens else 0)
    strip = sparkline(tokens, tokens[0][0] if tokens else None, scale_ms, "words")
    assert len(strip) < 60 * WIDTH
    assert "nan" not in strip
    assert "inf" not in strip
