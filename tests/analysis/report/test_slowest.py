"""The rows of the slowest streams begin, in every order and view, with the slowest there are."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tokentape.analysis.report._slowest import MOST_ROWS, OF_A_VIEW, OF_ALL, ORDERS, Naming, chosen
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


def test_a_row_says_no_more_of_its_place_than_it_takes():
    def table(*rows: tuple[str, str, int]) -> pd.DataFrame:
        streams = pd.DataFrame(rows, columns=["started_at", "cassette", "section"])
        return streams.assign(
            started_at=pd.to_datetime(streams["started_at"], utc=True, format="ISO8601"), exchange=7, choice=0
        )

    def said(*tables: pd.DataFrame) -> tuple[str, str]:
        naming, row = Naming.of(tables), tables[0].to_dict("records")[0]
        return naming.started(row), naming.place(row)

    one = table(("2026-09-21 09:00:12", "tapes/a.tape", 0))
    assert said(one) == ("09:00:12", "#7")
    assert said(one, table(("2026-09-22 09:00", "b.tape", 0))) == ("2026-09-21 09:00:12", "#7")
    assert said(table(("2026-09-21 09:00:12", "a.tape", 0), ("2026-09-21", "a.tape", 1))) == (
        "09:00:12",
        "section 0 #7",
    )
    assert said(table((None, "tapes/a.tape", 0), ("2026-09-21", "b.tape", 0))) == ("-", "a.tape #7")
